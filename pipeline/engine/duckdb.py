"""DuckDB: out of core, in bounded memory, on every core it may use."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
from sqlglot import exp

from pipeline.engine import Range
from pipeline.engine.connection import open_connection, refusals
from pipeline.engine.parquet import lacking, literal, literals
from pipeline.engine.queries import DIALECT, Query
from pipeline.settings import Settings

BATCH_ROWS = 100_000


class DuckDBEngine:
    """See ``pipeline.engine.Engine``. What does not fit in ``memory_limit`` spills under ``settings.scratch_path``."""

    described = f"DuckDB {duckdb.__version__}, in this process"
    fault = duckdb.Error
    customers_at_once = 125_000
    reads_in_order = True

    def __init__(self, settings: Settings, timezone: str = "UTC"):
        self._connection = open_connection(settings, timezone)
        self._tables: dict[str, pa.Table] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def bind_facts(
        self,
        name: str,
        columns: Mapping[str, str],
        files: Sequence[tuple[str, str | None]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        clean = [facts for facts, left_out in files if left_out is None]
        dirty = [pair for pair in files if pair[1] is not None]
        branches = []
        if clean:
            listed, by_name = self._selected(columns, clean)
            branches.append(f"select {listed} from read_parquet({literals(clean)}{by_name})")
        if dirty:
            # Both lists are in the same order, so that a file and the rows to leave out of it have the same index.
            facts, left_out = zip(*dirty, strict=True)
            listed, by_name = self._selected(columns, facts)
            branches.append(
                f"select {listed} from read_parquet({literals(facts)}, file_row_number = true{by_name}) as f "
                f"where not exists (select 1 from read_parquet({literals(left_out)}) as q "
                "where q.file_index = f.file_index and q.file_row_number = f.file_row_number)"
            )
        if not branches:
            branches.append(_empty(columns))
        self._bind_customers(name, " union all ".join(branches), only, within)

    def _selected(self, columns: Mapping[str, str], files: Sequence[str]) -> tuple[str, str]:
        """What to select of files of facts, and how to read them: a column that came to the contract after a file was
        written is null there."""
        absent, mixed = lacking(self._connection, files, columns)
        listed = (f'cast(null as {absent[name]}) as "{name}"' if name in absent else f'"{name}"' for name in columns)
        return ", ".join(listed), ", union_by_name = true" if mixed else ""

    def bind_left_out(
        self,
        name: str,
        files: Mapping[str, Sequence[str]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        branches = ["select cast(null as varchar) as table_name, cast(null as varchar) as customer_id where false"]
        branches += [
            f"select {exp.Literal.string(table).sql(DIALECT)} as table_name, customer_id "
            f"from read_parquet({literals(left_out)})"
            for table, left_out in files.items()
            if left_out
        ]
        self._bind_customers(name, " union all ".join(branches), only, within)

    def _bind_customers(self, name: str, rows: str, only: str | None, within: Range | None) -> None:
        conditions = [f"customer_id in (select customer_id from {only})"] if only else []
        for bound, sign in zip(within or (None, None), (">=", "<"), strict=True):
            if bound is not None:
                conditions.append(f"customer_id {sign} {exp.Literal.string(bound).sql(DIALECT)}")
        if conditions:
            rows = f"select * from ({rows}) where {' and '.join(conditions)}"
        self._bind(name, rows)

    def bind_files(
        self, name: str, files: Sequence[str], *, only: str | None = None, within: Range | None = None
    ) -> None:
        self._bind_customers(name, f"select * from read_parquet({literals(files)})", only, within)

    def bind_rows(self, name: str, columns: Mapping[str, str], files: Sequence[tuple[int, str]]) -> None:
        if not files:
            self._bind(name, _empty({**columns, "file_number": "INTEGER", "file_row_number": "BIGINT"}))
            return
        paths = [file for _, file in files]
        listed, by_name = self._selected(columns, paths)
        numbers = ", ".join(str(number) for number, _ in files)
        self._bind(
            name,
            f"select {listed}, [{numbers}][cast(file_index as bigint) + 1] as file_number, file_row_number "
            f"from read_parquet({literals(paths)}, file_row_number = true{by_name})",
        )

    def keep(self, name: str, query: Query, parameters: Mapping[str, Any] | None = None) -> None:
        kept = f"kept_{name}"
        with refusals():
            self._connection.execute(
                f'create or replace temp table "{kept}" as {query.sql()}', _bound(query, parameters)
            )
        self._bind(name, f'select * from "{kept}"')

    def release(self, name: str) -> None:
        self._connection.execute(f'drop view "{name}"')
        self._connection.execute(f'drop table "kept_{name}"')

    def _bind(self, name: str, rows: str) -> None:
        if self._tables.pop(name, None) is not None:
            self._connection.unregister(name)
        with refusals():
            self._connection.execute(f'create or replace view "{name}" as {rows}')

    def bind_table(self, name: str, table: pa.Table) -> None:
        self._tables[name] = table
        self._connection.register(name, table)

    def fetch(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        with refusals():
            return self._relation(self._connection, query, parameters).to_arrow_table()

    def batches(self, query: Query, parameters: Mapping[str, Any] | None = None) -> pa.RecordBatchReader:
        session = self._connection.cursor()  # a connection has one stream: its next query would end it
        for name, table in self._tables.items():
            session.register(name, table)
        with refusals():
            reader = self._relation(session, query, parameters).to_arrow_reader(BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(reader.schema, _stream(reader))

    def write(self, query: Query, parameters: Mapping[str, Any] | None, path: Path) -> int:
        copy = f"copy ({query.sql()}) to {literal(path)} (format parquet, compression zstd)"
        with refusals():
            [(rows,)] = self._connection.execute(copy, _bound(query, parameters)).fetchall()
        return rows

    @staticmethod
    def _relation(session: duckdb.DuckDBPyConnection, query: Query, parameters: Mapping[str, Any] | None):
        return session.sql(query.sql(), params=_bound(query, parameters))


def _empty(columns: Mapping[str, str]) -> str:
    nulls = (f'cast(null as {kind}) as "{column}"' for column, kind in columns.items())
    return f"select {', '.join(nulls)} where false"


def _stream(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with refusals():
        yield from reader


def _bound(query: Query, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of the parameters, those that the query asks for."""
    return {name: value for name, value in (parameters or {}).items() if name in query.parameters}
