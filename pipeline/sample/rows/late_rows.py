"""Rows on their way out, held back until the month in which they are recorded."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.source.write import arrow_schema

_BATCH_ROWS = 65_536


class Outbox:
    """Batches by the month in which they are recorded; what would be recorded after the last month never comes."""

    def __init__(self, months: int) -> None:
        self._months = months
        self._waiting: dict[int, dict[str, list[pa.RecordBatch]]] = defaultdict(lambda: defaultdict(list))

    def put(self, table: str, month: int, *columns: pa.Array) -> None:
        if month < self._months and len(columns[0]):
            batch = pa.RecordBatch.from_arrays(list(columns), schema=arrow_schema(table))
            self._waiting[month][table].append(batch)

    def put_each(self, table: str, months: np.ndarray, *columns: pa.Array) -> None:
        """Like put, with a month for each row."""
        for month in np.unique(months):
            rows = pa.array(np.flatnonzero(months == month))
            self.put(table, int(month), *(column.take(rows) for column in columns))

    def take(self, month: int, at_least: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Hand out what is recorded in the month, of the tables with at least so many rows waiting."""
        waiting = self._waiting[month]
        for table in list(waiting):
            if sum(batch.num_rows for batch in waiting[table]) >= at_least:
                whole = pa.Table.from_batches(waiting.pop(table)).combine_chunks()
                yield from ((table, batch) for batch in whole.to_batches(_BATCH_ROWS))
