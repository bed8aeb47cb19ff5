"""Replaces the tables of a source database in one go: readers see the old content or the new, never a mixture."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from pipeline.database import connect, libpq_uri
from pipeline.errors import SourceUnavailableError
from pipeline.source.contract import SourceTable, contract, table

_LOADING = "__loading"
_SQLALCHEMY = {
    # By MySQL's own collation, ids that differ in case are equal.
    "VARCHAR": sa.String()
    .with_variant(sa.String(255, collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(sa.String(255), "mssql", "oracle"),
    "DATE": sa.Date(),
    "BOOLEAN": sa.Boolean(),
    "INTEGER": sa.Integer(),
    "BIGINT": sa.BigInteger(),
    "TIMESTAMPTZ": sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
    "DECIMAL(18, 2)": sa.Numeric(18, 2, asdecimal=False),
    "DECIMAL(18, 3)": sa.Numeric(18, 3, asdecimal=False),
}
_ARROW = {
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    "DECIMAL(18, 2)": pa.decimal128(18, 2),
    "DECIMAL(18, 3)": pa.decimal128(18, 3),
}


@cache
def arrow_schema(name: str) -> pa.Schema:
    """The contract's columns and types of a table, in Arrow's terms."""
    return pa.schema([(column.name, _ARROW[column.sql_type]) for column in table(name).columns])


def create_tables(url: URL, names: Iterable[str] | None = None) -> None:
    """Make the source empty: the named tables (None: all of the contract) without rows, and no other."""
    replace_tables(
        url, ((name, pa.RecordBatch.from_pylist([], schema=arrow_schema(name))) for name in names or contract())
    )


def replace_tables(url: URL, batches: Iterable[tuple[str, pa.RecordBatch]]) -> dict[str, int]:
    """Replace all the source holds by what ``batches`` brings, in any order of tables; the rows of each table.

    Tables are created without the contract's constraints (invalid rows must be accepted) and with an index on
    recorded_at. A table that brings no batch does not exist afterwards. Whatever goes wrong on the way, ``batches``
    included, leaves the earlier content as it was.
    """
    if url.get_backend_name() == "postgresql":
        return _replace_postgresql(url, batches)
    return _replace_any(url, batches)


def _replace_postgresql(url: URL, batches: Iterable[tuple[str, pa.RecordBatch]]) -> dict[str, int]:
    """One transaction, rows by COPY. BRIN suffices: rows lie in the order in which they were recorded."""
    from adbc_driver_postgresql import dbapi
    from sqlalchemy.dialects import postgresql

    rows: Counter[str] = Counter()
    with (
        _clear_errors(url, dbapi.Error),
        dbapi.connect(libpq_uri(url)) as connection,
        connection.cursor() as cursor,
    ):
        for name, batch in batches:
            loading = name + _LOADING
            if name not in rows:
                empty = _definition(table(name), loading)
                cursor.execute(f"drop table if exists {loading}")
                cursor.execute(str(CreateTable(empty).compile(dialect=postgresql.dialect())))
            rows[name] += batch.num_rows
            if batch.num_rows:
                cursor.adbc_ingest(loading, batch, mode="append")
        for name in rows:
            recorded = table(name).recorded_column
            cursor.execute(f"create index {name}{_LOADING}_recorded on {name}{_LOADING} using brin ({recorded})")
        for name in contract():
            cursor.execute(f"drop table if exists {name}")
        for name in rows:
            cursor.execute(f"alter table {name}{_LOADING} rename to {name}")
            cursor.execute(f"alter index {name}{_LOADING}_recorded rename to {name}_recorded")
            cursor.execute(f"analyze {name}")
        connection.commit()
    return dict(rows)


def _replace_any(url: URL, batches: Iterable[tuple[str, pa.RecordBatch]]) -> dict[str, int]:
    """Rows by executemany into tables beside, which then take the old ones' place."""
    rows: Counter[str] = Counter()
    loading: dict[str, sa.Table] = {}
    engine = connect(url)
    with _clear_errors(url, sa.exc.DBAPIError):
        try:
            for name, batch in batches:
                if name not in loading:
                    loading[name] = _definition(table(name), name + _LOADING)
                    loading[name].drop(engine, checkfirst=True)
                    loading[name].create(engine)
                rows[name] += batch.num_rows
                if batch.num_rows:
                    with engine.begin() as connection:
                        connection.execute(loading[name].insert(), batch.to_pylist())
            with engine.begin() as connection:
                _swap(connection, loading)
        except BaseException:
            for beside in loading.values():
                beside.drop(engine, checkfirst=True)
            raise
    return dict(rows)


def _swap(connection: sa.Connection, loading: dict[str, sa.Table]) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("begin immediate")  # its driver opens no transaction for a DROP by itself
    present = set(sa.inspect(connection).get_table_names())
    for name in contract():
        if name in present:
            connection.exec_driver_sql(f"drop table {name}")
    for name in loading:
        connection.exec_driver_sql(f"alter table {name}{_LOADING} rename to {name}")
        recorded = table(name).recorded_column
        connection.exec_driver_sql(f"create index {name}_recorded on {name} ({recorded})")


def _definition(source: SourceTable, name: str) -> sa.Table:
    kinds: dict[str, Any] = _SQLALCHEMY
    columns = [sa.Column(column.name, kinds[column.sql_type]) for column in source.columns]
    return sa.Table(name, sa.MetaData(), *columns)


@contextmanager
def _clear_errors(url: URL, kind: type[Exception]) -> Iterator[None]:
    where = f"{url.host or 'the file'}{f':{url.port}' if url.port else ''}/{url.database}"
    try:
        yield
    except kind as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise SourceUnavailableError(
            f"the source database at {where} could not be filled and keeps what it held: {reason}: see to the server "
            "or to GRIDGRADE_SOURCE_URL and try again"
        ) from error
