"""Reads the billing system through sql/extract/*.sql: as a stream of Arrow batches, with the source's own totals.

PostgreSQL streams through ADBC; any other database hands over rows through a server-side cursor, in chunks.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa
import sqlglot
from sqlalchemy import URL
from sqlalchemy.dialects import postgresql
from sqlglot import exp

from pipeline import resources
from pipeline.database import connect
from pipeline.errors import SourceContractError, SourceUnavailableError
from pipeline.source.contract import SourceTable

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
_CHUNK_ROWS = 20_000
_REFUSALS = ("22", "42")  # SQLSTATE classes: the query or a value of it is at fault, not the connection
_SQLGLOT = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}
# The instants we bind have no zone there, and such a database takes them, and shows its own, in that of the session.
_IN_UTC = {
    "mysql": "set time_zone = '+00:00'",
    "mariadb": "set time_zone = '+00:00'",
    "oracle": "alter session set time_zone = 'UTC'",
}
_NO_DATE = re.compile(r"0000-00-00( 00:00:00(\.0+)?)?")  # MySQL's, which its drivers hand over as text
_MYSQL_BIT = 16  # the type code of BIT, which arrives as bytes


@dataclass(frozen=True)
class ExtractQuery:
    """An extract query that the billing system accepts; optional columns it has not are left out of it.

    ``summable``: the money columns whose totals the source can compute, those it keeps as numbers.
    """

    table: SourceTable
    text: str
    columns: tuple[str, ...] = ()
    summable: tuple[str, ...] = ()


@dataclass
class Reading:
    """A stream of rows, with their number and sums of money as the source computes them."""

    rows: int
    sums: dict[str, Decimal]
    batches: pa.RecordBatchReader
    failure: list[Exception] = field(default_factory=list)


class BillingSystem:
    """An open billing system, for reading.

    Errors: SourceUnavailableError where it is away or drops the connection, SourceContractError where it answers but
    not with what the contract asks for.
    """

    def __init__(self, url: URL):
        self._url = url
        self._engine = connect(url)
        if statement := _IN_UTC.get(url.get_backend_name()):
            sa.event.listen(self._engine, "connect", lambda connection, _: _execute(connection, statement))
        self._where = f"{url.host or 'the file'}{f':{url.port}' if url.port else ''}/{url.database}"
        self._adbc = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_adbc()

    def query(self, table: SourceTable) -> ExtractQuery | None:
        """The extract query of a table, tried on the source; None where an optional table is not there."""
        text = _read(table)
        if text is None:
            return None
        try:
            columns = self._columns(text)
        except sa.exc.DBAPIError as error:
            text = self._without_what_is_missing(table, text, error)
            if text is None:
                return None
            try:
                columns = self._columns(text)
            except sa.exc.DBAPIError as again:
                raise self._refused(table, again) from again
        if missing := table.missing_columns(columns):
            raise SourceContractError(
                f"{table.name}: {_location(table)} returns no column {', '.join(missing)}; add it to the query"
            )
        present = tuple(name for name in table.column_names if name in columns)
        return ExtractQuery(table, text, present, self._summable(table, text, present))

    def values(
        self, query: ExtractQuery, selected: str, then: str = "", most: int | None = None, **parameters: datetime
    ) -> list[tuple]:
        """What ``selected`` gives over the rows of an extract query, ``then`` grouped, say: the first ``most`` rows."""
        with self._connection(query.table) as connection:
            statement = self._bound(f"select {selected} from ({query.text}\n) q {then}", parameters)
            if most is None:
                return [tuple(row) for row in connection.execute(statement)]
            rows = connection.execution_options(stream_results=True, max_row_buffer=most).execute(statement)
            return [tuple(row) for row in rows.fetchmany(most)]

    def first_recorded(self, query: ExtractQuery, before: datetime) -> datetime | None:
        """The earliest instant at which a row was recorded; None where no row was recorded before ``before``."""
        [(first,)] = self.values(query, "min(recorded_at)", recorded_from=BEGINNING, recorded_before=before)
        if first is None:
            return None
        try:
            instant = first if isinstance(first, datetime) else datetime.fromisoformat(str(first))
        except ValueError:
            raise SourceContractError(
                f"{query.table.name}.recorded_at holds {first!r}, which is not an instant; "
                f"adapt {_location(query.table)}"
            ) from None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

    @contextmanager
    def reading(self, query: ExtractQuery, **parameters: datetime) -> Iterator[Reading]:
        """The rows of a query as a stream; an error of the source while they are read leaves this block as ours."""
        opened = self._reading_arrow if self._url.get_backend_name() == "postgresql" else self._reading_rows
        with opened(query, parameters) as reading:
            try:
                yield reading
            except Exception as error:
                if reading.failure:  # the consumer of the stream only saw it end early
                    raise self._clear(query.table, reading.failure[0]) from error
                raise

    # -- PostgreSQL ---------------------------------------------------------------------------------------------

    @contextmanager
    def _reading_arrow(self, query: ExtractQuery, parameters: dict[str, datetime]) -> Iterator[Reading]:
        """Totals and rows from one snapshot.

        ADBC streams by COPY, which takes no parameters: with parameters it holds the whole result in memory. The
        instants are therefore written into the text as literals, by SQLAlchemy's own renderer for its datetime type.
        """
        from adbc_driver_manager import Error

        dialect = postgresql.dialect(paramstyle="named")
        statement = self._bound(query.text, parameters)
        text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        try:
            adbc = self._adbc_connection()
            with adbc.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
                cursor.execute(f"select {_totals(query.summable)} from ({text}\n) q")
                rows, *sums = cursor.fetchone()
                cursor.execute(text)
                reader = cursor.fetch_record_batch()
                reading = Reading(int(rows), _sums(query, sums), reader)
                reading.batches = _watched(reader.schema, reader, reading.failure)
                yield reading
            adbc.rollback()
        except BaseException as error:
            self._forget_adbc()
            if isinstance(error, Error):
                raise self._clear(query.table, error) from error
            raise

    def _adbc_connection(self):
        from adbc_driver_postgresql import dbapi

        if self._adbc is None:
            uri = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._adbc = dbapi.connect(uri)
        return self._adbc

    def _forget_adbc(self) -> None:
        connection, self._adbc = self._adbc, None
        if connection is not None:
            with suppress(Exception):  # after an error the server, or what is left of it, may refuse even this
                connection.close()

    # -- any other database -------------------------------------------------------------------------------------

    @contextmanager
    def _reading_rows(self, query: ExtractQuery, parameters: dict[str, datetime]) -> Iterator[Reading]:
        """Every value as text, as DuckDB reads it: a column may well hold several types here."""
        with self._connection(query.table) as connection:
            totals = self._bound(f"select {_totals(query.summable)} from ({query.text}\n) q", parameters)
            rows, *sums = connection.execute(totals).one()
            result = connection.execution_options(stream_results=True, yield_per=_CHUNK_ROWS).execute(
                self._bound(query.text, parameters)
            )
            schema = pa.schema([(name, pa.string()) for name in tuple(result.keys())])
            reading = Reading(int(rows), _sums(query, sums), None)
            reading.batches = _watched(schema, _as_batches(result, schema, self._bits(result)), reading.failure)
            yield reading

    def _bits(self, result: sa.CursorResult) -> frozenset[int]:
        """The positions of the columns that are MySQL's BIT."""
        if self._url.get_backend_name() not in ("mysql", "mariadb"):
            return frozenset()
        return frozenset(at for at, column in enumerate(result.cursor.description) if column[1] == _MYSQL_BIT)

    # -- what the source says about a query ---------------------------------------------------------------------

    @contextmanager
    def _connection(self, table: SourceTable) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._clear(table, error) from error

    def _columns(self, text: str) -> tuple[str, ...]:
        return tuple(name.lower() for name in self._tried(f"select * from ({text}\n) q where 1 = 0"))

    def _tried(self, text: str) -> tuple[str, ...]:
        """The columns of a statement that reads no row; a refusal is the database's own error."""
        try:
            with self._engine.connect() as connection:
                parameters = {"recorded_from": BEGINNING, "recorded_before": BEGINNING}
                return tuple(connection.execute(self._bound(text, parameters)).keys())
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated or not self._is_up():
                raise self._unavailable(error) from error
            raise

    def _is_up(self) -> bool:
        try:
            with self._engine.connect():
                return True
        except sa.exc.DBAPIError:
            return False

    def _summable(self, table: SourceTable, text: str, present: tuple[str, ...]) -> tuple[str, ...]:
        """Found by asking: a database that keeps money as text refuses to add it up."""
        candidates = tuple(name for name in table.money_columns if name in present)
        if self._accepts(text, candidates):
            return candidates
        return tuple(name for name in candidates if self._accepts(text, (name,)))

    def _accepts(self, text: str, names: tuple[str, ...]) -> bool:
        try:
            self._tried(f"select {_totals(names)} from ({text}\n) q where 1 = 0")
        except sa.exc.DBAPIError:
            return False
        return True

    def _without_what_is_missing(self, table: SourceTable, text: str, error: sa.exc.DBAPIError) -> str | None:
        """The query without the optional columns that the source has not; None where an optional table is not there."""
        dialect = _SQLGLOT.get(self._engine.dialect.name, self._engine.dialect.name)
        try:
            tree = sqlglot.parse_one(text, read=dialect)
        except (sqlglot.ParseError, ValueError):
            raise self._refused(table, error) from error
        try:
            present = self._present_columns(tree)
        except sa.exc.DBAPIError:  # no right to know
            raise self._refused(table, error) from error
        if absent := [name for name, columns in present.items() if columns is None]:
            if not table.is_required:
                return None
            raise SourceContractError(
                f"{table.name}: the billing system at {self._where} has no table {', '.join(absent)}; "
                f"create it, or adapt {_location(table)} to where these records are"
            )
        known = {name for columns in present.values() for name in columns or ()}
        known |= {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
        missing = {column.name for column in tree.find_all(exp.Column) if column.name.lower() not in known}
        if required := [name for name in table.required_columns if name in missing]:
            leave_out = "" if table.is_required else ", or empty that file to go on without the table"
            raise SourceContractError(
                f"{table.name}: the billing system at {self._where} has no column {', '.join(required)} in "
                f"{', '.join(present)}; add it, or adapt {_location(table)}{leave_out}"
            )
        if not missing or not missing <= set(table.column_names):
            raise self._refused(table, error) from error
        for select in tree.find_all(exp.Select):
            kept = [item for item in select.expressions if not (isinstance(item, exp.Column) and item.name in missing)]
            select.set("expressions", kept)
        for parameter in list(tree.find_all(exp.Placeholder)):
            parameter.replace(exp.var(f":{parameter.name}"))  # kept as written, not in the dialect's driver's style
        return tree.sql(dialect)

    def _present_columns(self, tree: exp.Expr) -> dict[str, set[str] | None]:
        """The columns in the source of every table that a query names, None where there is no such table."""
        inspector = sa.inspect(self._engine)
        own = {cte.alias for cte in tree.find_all(exp.CTE)}
        columns: dict[str, set[str] | None] = {}
        for source in tree.find_all(exp.Table):
            if source.name in own:
                continue
            try:
                found = inspector.get_columns(source.name, schema=source.db or None)
                columns[source.name] = {column["name"].lower() for column in found}
            except sa.exc.NoSuchTableError:
                columns[source.name] = None
        return columns

    def _bound(self, text: str, parameters: dict[str, datetime]) -> sa.TextClause:
        """The text with the instants it names bound, in UTC: naive where a database keeps no time zone."""
        statement = sa.text(text)
        named = {name: parameters[name] for name in statement._bindparams if name in parameters}
        if self._url.get_backend_name() != "postgresql":
            named = {name: instant.astimezone(UTC).replace(tzinfo=None) for name, instant in named.items()}
        kind = sa.DateTime(timezone=True)
        return statement.bindparams(*(sa.bindparam(name, instant, kind) for name, instant in named.items()))

    # -- errors -------------------------------------------------------------------------------------------------

    def _clear(self, table: SourceTable, error: Exception) -> SourceContractError | SourceUnavailableError:
        state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        refused = isinstance(error, sa.exc.ProgrammingError | sa.exc.DataError)
        if state[:2] in _REFUSALS or (refused and not state):
            return self._refused(table, error)
        return self._unavailable(error)

    def _refused(self, table: SourceTable, error: Exception) -> SourceContractError:
        return SourceContractError(
            f"{table.name}: the billing system at {self._where} refuses {_location(table)}: {self._reason(error)}"
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"the billing system at {self._where} cannot be read: {self._reason(error)}; check that it is up and "
            "GRIDGRADE_SOURCE_URL, then run again: what was read is kept"
        )

    def _reason(self, error: Exception) -> str:
        """The database's own words on one line, without the password, should they quote the URL."""
        text = str(getattr(error, "orig", None) or error)
        if self._url.password:
            quoted = self._url.set(drivername="x").render_as_string(hide_password=False).split("@")[0].split(":", 2)[-1]
            text = text.replace(quoted, "***").replace(str(self._url.password), "***")
        text = re.split(r"\n(?:LINE \d+:|\s*\^|Query was:)", text, maxsplit=1)[0]
        return " ".join(text.split()).rstrip(". ")


def _read(table: SourceTable) -> str | None:
    """The query of a table; None where an optional table has none, or an empty one."""
    path = _path(table)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except OSError as error:
        raise SourceContractError(f"{table.name}: {path} cannot be read: {error.strerror}; restore the query") from None
    # a parameter that a comment names would be bound as well
    text = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip().rstrip(";")
    if not text:
        if table.is_required:
            raise SourceContractError(f"{table.name}: {_location(table)} holds no query, and the table is required")
        return None
    if "recorded_at" in table.column_names:
        needed = ("recorded_before",) if table.snapshot else ("recorded_from", "recorded_before")
        if missing := [name for name in needed if name not in sa.text(text)._bindparams]:
            raise SourceContractError(
                f"{table.name}: {_location(table)} does not use :{missing[0]}; every row would be in every month"
            )
    return text


def _path(table: SourceTable) -> Path | None:
    return resources.file(resources.EXTRACT, f"{table.name}.sql")


def _location(table: SourceTable) -> str:
    path = _path(table)
    return resources.display(path) if path else f"sql/extract/{table.name}.sql"


def _totals(names: tuple[str, ...]) -> str:
    """The count, and sums to the cent of what is finite and not absurd: NaN and infinity would swallow the rest."""
    sums = (f"sum(case when abs({name}) < 1e15 then round(cast({name} as decimal(18, 2)), 2) end)" for name in names)
    return ", ".join(("count(*)", *sums))


def _sums(query: ExtractQuery, values: list[Any]) -> dict[str, Decimal]:
    cent = Decimal("0.01")
    return {name: Decimal(str(value or 0)).quantize(cent) for name, value in zip(query.summable, values, strict=True)}


def _watched(schema: pa.Schema, batches: Iterator[pa.RecordBatch], failure: list[Exception]) -> pa.RecordBatchReader:
    """The same batches; keeps the error that ends them, which DuckDB would replace by one of its own."""

    def watch() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as error:
            failure.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, watch())


def _execute(connection: Any, statement: str) -> None:
    """Run a statement on a driver's own connection."""
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()


def _as_batches(result: sa.CursorResult, schema: pa.Schema, bits: frozenset[int]) -> Iterator[pa.RecordBatch]:
    for rows in result.partitions():
        arrays = [
            pa.array([_as_text(_number(value) if at in bits else value) for value in column], pa.string())
            for at, column in enumerate(zip(*rows, strict=True))
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _number(bits: bytes | None) -> int | None:
    return None if bits is None else int.from_bytes(bits, "big")


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return None if _NO_DATE.fullmatch(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return format(value, "f") if isinstance(value, Decimal) else str(value)
