"""What an installation holds of customers, looked for by other means than the pipeline's."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.settings import Settings


def everywhere(settings: Settings) -> dict[str, Counter[str]]:
    """By customer, their rows by table: of lake and warehouse, wherever there is a column customer_id."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for file in settings.lake_path.rglob("*.parquet"):
        rows = pq.ParquetFile(file).read()
        if "customer_id" in rows.column_names:
            parts = file.relative_to(settings.lake_path).parts
            table = "lake/" + "/".join(part for part in parts[:-1] if "=" not in part)
            for name in rows["customer_id"].to_pylist():
                found[name][table] += 1
    with _connected(settings) as connection:
        for table in _tables(connection, "column_name = 'customer_id'"):
            for (name,) in connection.execute(f"select customer_id from {table}"):
                found[name][table] += 1
    found.pop(None, None)
    return found


def traces(settings: Settings, text: str) -> Iterator[str]:
    """Where a text is found: rows of the warehouse, values of the lake's files, and any other file of the home."""
    with _connected(settings) as connection:
        for table in _tables(connection, "true"):
            query = f"select t::text from {table} as t where strpos(t::text, %s) > 0"
            yield from (f"{table}: {row}" for (row,) in connection.execute(query, [text]))
    for file in settings.home.rglob("*"):
        if file.suffix == ".parquet":
            yield from (f"{file}: {value}" for value in _texts(pq.ParquetFile(file).read()) if text in value)
        elif file.is_file() and text.encode() in file.read_bytes():
            yield str(file)


def query(settings: Settings, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows that a statement in the warehouse gives."""
    with _connected(settings) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def _texts(rows: pa.Table) -> Iterator[str]:
    for column in rows.columns:
        if pa.types.is_string(column.type):
            yield from (value for value in column.to_pylist() if value)


def _connected(settings: Settings) -> psycopg.Connection[Any]:
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url)


def _tables(connection: psycopg.Connection[Any], condition: str) -> list[str]:
    query = (
        "select distinct format('%%I.%%I', table_schema, table_name) from information_schema.columns "
        "inner join information_schema.tables using (table_schema, table_name) "
        f"where table_schema in ('rating', 'ops') and table_type = 'BASE TABLE' and {condition} order by 1"
    )
    partitioned = "select format('%%I.%%I', relnamespace::regnamespace, relname) from pg_class where relkind = 'p'"
    parents = {name for (name,) in connection.execute(partitioned, [])}
    return [name for (name,) in connection.execute(query, []) if name not in parents]
