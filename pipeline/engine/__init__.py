"""Run the rating's SQL over the lake's Parquet files: one protocol, by DuckDB or, for what one machine does not hold,
by Spark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from pipeline.engine.queries import Query
from pipeline.errors import ConfigError
from pipeline.settings import Settings

# Customers from the first id (None: from the very first) to before the second (None: to the last).
Range = tuple[str | None, str | None]


class Engine(Protocol):
    """A session over named views. Parameters are bound, never formatted in."""

    @property
    def described(self) -> str:
        """Which engine it is, and where."""

    @property
    def fault(self) -> type[Exception]:
        """What a query raises that cannot be run."""

    @property
    def customers_at_once(self) -> int:
        """How many customers' records it works on well in one query."""

    @property
    def reads_in_order(self) -> bool:
        """Whether the rows of files that were bound come as they lie in them, where a query asks for no order."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def bind_facts(
        self,
        name: str,
        columns: Mapping[str, str],
        files: Sequence[tuple[str, str | None]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        """View ``name`` with these columns over ``(facts, rows to leave out)`` pairs; no files: an empty view.

        ``only`` names a bound view of customer_id, ``within`` a range of them: rows of other customers are left out.
        """

    def bind_left_out(
        self,
        name: str,
        files: Mapping[str, Sequence[str]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        """View ``name`` over the files of the rows to leave out of each table: table_name, customer_id of each row."""

    def bind_files(
        self, name: str, files: Sequence[str], *, only: str | None = None, within: Range | None = None
    ) -> None:
        """View ``name`` over Parquet files as they are; ``only``, ``within``: see ``bind_facts``."""

    def bind_rows(self, name: str, columns: Mapping[str, str], files: Sequence[tuple[int, str]]) -> None:
        """View ``name`` with these columns over numbered files of facts: every row with ``file_number`` and its place
        in the file, ``file_row_number``. A column that a file lacks is null there; no files: an empty view."""

    def bind_table(self, name: str, table: pa.Table) -> None:
        """View ``name`` over a small Arrow table."""

    def keep(self, name: str, query: Query, parameters: Mapping[str, Any] | None = None) -> None:
        """View ``name`` over the result of a query, worked out now, for the queries that follow; see ``release``."""

    def release(self, name: str) -> None:
        """Give up what ``keep`` kept, and the view."""

    def fetch(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result; for small results only."""

    def batches(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.RecordBatchReader:
        """The result as a stream of Arrow batches in the order the query asks for; several may be read side by side."""

    def write(self, query: Query, parameters: Mapping[str, Any] | None, path: Path) -> int:
        """The result as one Parquet file; returns its rows."""


def open_engine(settings: Settings, timezone: str = "UTC") -> Engine:
    """The engine the settings name, bounded by their memory limit and threads where it works in this process.

    ``timezone`` is where an instant's date is read off."""
    if settings.engine == "spark":
        try:
            from pipeline.engine.spark import SparkEngine
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "pyspark":
                raise
            raise ConfigError("GRIDGRADE_ENGINE=spark needs PySpark: pip install 'gridgrade[spark]'") from None
        return SparkEngine(settings, timezone)
    from pipeline.engine.duckdb import DuckDBEngine

    return DuckDBEngine(settings, timezone)
