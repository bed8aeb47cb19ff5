"""Where the lake and the warehouse hold customers: wherever there is a column customer_id."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlalchemy import Connection, text

from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.warehouse.statements import statement

_OF_CUSTOMERS = "from read_parquet($files, hive_partitioning = false) where list_contains($customers, customer_id)"


@dataclass(frozen=True)
class Holding:
    """A partition of the lake with rows of customers; ``partition``: its name, ``keys``: as the lake takes them,
    ``rows``: by customer."""

    table: str
    keys: Mapping[str, Any]
    partition: str
    files: tuple[str, ...]
    rows: Mapping[str, int]

    @property
    def is_fact(self) -> bool:
        return fact_key(self.table) in self.keys and not self.table.startswith(QUARANTINE)

    @property
    def name(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.keys.items())

    def read(self, database: duckdb.DuckDBPyConnection, customers: Collection[str]) -> list[dict[str, Any]]:
        bound = {"files": list(self.files), "customers": list(customers)}
        return database.sql(f"select * {_OF_CUSTOMERS}", params=bound).to_arrow_table().to_pylist()


def in_lake(lake: Lake, database: duckdb.DuckDBPyConnection, customers: Collection[str]) -> Iterator[Holding]:
    """The partitions that have rows of these customers. LakeError where one cannot be read."""
    for partition in lake.partitions():
        parts = partition.split("/")
        first = next(place for place, part in enumerate(parts) if "=" in part)
        table = "/".join(parts[:first])
        keys = {key: _key(value) for key, _, value in (part.partition("=") for part in parts[first:])}
        files = tuple(f"{lake.path(table, **keys)}/{name}" for name in lake.manifest(table, **keys)["files"])
        try:
            rows = _counted(database, files, customers)
        except duckdb.Error:
            lake.check(partition)  # says which partition is damaged
            raise
        if rows:
            yield Holding(table, keys, partition, files, rows)


def tables(connection: Connection) -> list[str]:
    """The warehouse's tables with a column customer_id, every revision's its own."""
    return list(connection.scalars(text(statement("privacy/customer_tables"))))


def in_warehouse(connection: Connection, customers: Collection[str]) -> dict[str, dict[str, int]]:
    """Of each table that has rows of these customers, how many by customer."""
    found = {}
    for table in tables(connection):
        query = text(f"select customer_id, count(*) from {table} where customer_id = any(:customers) group by 1")
        found[table] = {name: rows for name, rows in connection.execute(query, {"customers": list(customers)})}
    return {table: rows for table, rows in found.items() if rows}


def _key(value: str) -> RatingMonth | str:
    return RatingMonth.parse(value) if value[:1].isdigit() else value


def _counted(database: duckdb.DuckDBPyConnection, files: Collection[str], customers: Collection[str]) -> dict[str, int]:
    """Rows by customer in the files of a partition."""
    schema = "select distinct name from parquet_schema($files)"
    if not files or ("customer_id",) not in database.execute(schema, {"files": list(files)}).fetchall():
        return {}
    counted = f"select customer_id, count(*) {_OF_CUSTOMERS} group by 1"
    return dict(database.execute(counted, {"files": list(files), "customers": list(customers)}).fetchall())
