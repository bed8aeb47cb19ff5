"""What validation found, replaced by lake partitions: ops.validation_results and ops.quarantine."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction
from pipeline.warehouse.statements import statement

QUARANTINED = pa.schema(
    [
        ("row_number", pa.int64()),
        ("row_key", pa.string()),
        ("failed", pa.list_(pa.string())),
        ("lake_path", pa.string()),
    ]
)
_ENTERED = QUARANTINED.append(pa.field("recorded_month", pa.date32()))

_RESULTS = pa.schema(
    [
        ("recorded_month", pa.date32()),
        ("expectation", pa.string()),
        ("column_name", pa.string()),
        ("severity", pa.string()),
        ("success", pa.bool_()),
        ("rows_checked", pa.int64()),
        ("rows_failed", pa.int64()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class PartitionCheck:
    """What was found in a partition.

    A result has expectation, column_name (or None), severity (``warn`` or ``fail``), success, rows_checked, rows_failed
    and detail (a dict). ``quarantined``: the rows that are, in batches of QUARANTINED; read once.
    """

    recorded_month: RatingMonth
    results: list[dict[str, Any]]
    quarantined: Iterable[pa.RecordBatch] = ()


def replace_validation(
    settings: Settings,
    rating_month: RatingMonth,
    table: str,
    checks: Sequence[PartitionCheck],
    *,
    basis: str = "as_known_then",
) -> None:
    """Put the latest checks of a table's partitions in the place of those before, in one transaction.

    The same again changes nothing but times. A row that was in quarantine before keeps the month and time it was first
    left out.
    """
    checked = pa.table({"recorded_month": pa.array([c.recorded_month.first_day for c in checks], pa.date32())})
    quarantined = pa.RecordBatchReader.from_batches(_ENTERED, _quarantined(checks))
    with bulk_transaction(settings) as connection, connection.cursor() as cursor:
        for name, rows in (("checked", checked), ("quarantined", quarantined), ("found", _results(checks))):
            cursor.adbc_ingest(name, rows, mode="create", temporary=True)
        cursor.execute(statement("validation/remove_released_rows"), [table])
        cursor.execute(statement("validation/enter_quarantine"), [table, rating_month.first_day])
        cursor.execute(
            "delete from ops.validation_results where table_name = $1 and recorded_month in (select * from checked)",
            [table],
        )
        cursor.execute(statement("validation/enter_results"), [rating_month.first_day, basis, table])


def _quarantined(checks: Sequence[PartitionCheck]) -> Iterator[pa.RecordBatch]:
    for check in checks:
        for rows in check.quarantined:
            month = pa.repeat(pa.scalar(check.recorded_month.first_day, pa.date32()), rows.num_rows)
            columns = rows.select(QUARANTINED.names).cast(QUARANTINED).columns
            yield pa.RecordBatch.from_arrays([*columns, month], schema=_ENTERED)


def _results(checks: Sequence[PartitionCheck]) -> pa.Table:
    rows = [
        {
            **result,
            "recorded_month": check.recorded_month.first_day,
            "detail": json.dumps(result.get("detail") or {}, default=str),
        }
        for check in checks
        for result in check.results
    ]
    return pa.Table.from_pylist(rows, schema=_RESULTS)
