"""An open billing system: its extract queries, tried on it, and their rows as streams of Arrow batches.

PostgreSQL streams through ADBC; any other database hands over rows through a server-side cursor, in chunks.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy.dialects import postgresql

from pipeline.database import connect, libpq_uri, without_password
from pipeline.errors import SourceContractError, SourceUnavailableError
from pipeline.source.contract import SourceTable
from pipeline.source.read import arrow_rows, query_text, undated
from pipeline.source.read.column_types import carried
from pipeline.source.read.missing_columns import without_missing_columns
from pipeline.source.read.query_text import ExtractQuery, location
from pipeline.source.read.totals import read_totals, totals

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 30, tzinfo=UTC)
_ALL: dict[str, Any] = {query_text.FROM: BEGINNING, query_text.BEFORE: END}
_CHUNK_ROWS = 20_000
_REFUSALS = ("22", "42")  # SQLSTATE classes: the query or a value of it is at fault, not the connection
# The instants we bind have no zone there, and such a database takes them, and shows its own, in that of the session.
_IN_UTC = {
    "mysql": "set time_zone = '+00:00'",
    "mariadb": "set time_zone = '+00:00'",
    "oracle": "alter session set time_zone = 'UTC'",
}
# Where ids that differ in case may be equal by the column's own collation.
_BY_LETTER = {
    "mysql": "utf8mb4_bin",
    "mariadb": "utf8mb4_bin",
    "mssql": "Latin1_General_BIN2",
    "sqlite": "binary",
}
_EXAMPLES = 3
_MYSQL_BIT = 16  # the type code of BIT, which arrives as bytes


@dataclass
class Reading:
    """A stream of rows, with their number and sums of money as the source computes them."""

    rows: int
    sums: dict[str, Decimal]
    batches: pa.RecordBatchReader
    failure: list[Exception] = field(default_factory=list)


class BillingSystem:
    """An open billing system, for reading. PostgreSQL's instants without a zone are taken as of ``time_zone``.

    Errors: SourceUnavailableError where it is away or drops the connection, SourceContractError where it answers but
    not with what the contract asks for.
    """

    def __init__(self, url: URL, time_zone: str = "UTC"):
        self._url, self._is_postgresql = url, url.get_backend_name() == "postgresql"
        self._zone = time_zone
        self._time_zone = "set time zone '{}'".format(time_zone.replace("'", "''"))
        self._engine = connect(url, is_kept=True)
        statements = _IN_UTC | {"postgresql": self._time_zone}
        if statement := statements.get(url.get_backend_name()):
            sa.event.listen(self._engine, "connect", lambda connection, _: _execute(connection, statement))
        host = url.host or ("the file" if url.get_backend_name() == "sqlite" else "localhost")
        name = url.database or url.query.get("service_name") or url.query.get("dbname") or ""
        self._where = f"{host}{f':{url.port}' if url.port else ''}/{name}"
        self._adbc = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_adbc()
        self._engine.dispose()

    def query(self, table: SourceTable) -> ExtractQuery | None:
        """The extract query of a table, tried on the source; None where an optional table is not there."""
        text = query_text.read(table, self._url.get_backend_name())
        if text is None:
            return None
        try:
            found = self._columns(text)
        except sa.exc.DBAPIError:
            text = without_missing_columns(table, text, self._engine, self._where)
            if text is None:
                return None
            try:
                found = self._columns(text)
            except sa.exc.DBAPIError as again:
                raise self._refused(table, again) from again
        names = [name.lower() for name, _ in found]
        if missing := table.missing_columns(names):
            raise SourceContractError(
                f"{table.name}: {location(table)} returns no column {', '.join(missing)}; add it to the query"
            )
        if twice := [name for name in table.column_names if names.count(name) > 1]:
            raise SourceContractError(
                f"{table.name}: {location(table)} returns {twice[0]} twice; leave one of them out"
            )
        text, zoneless = carried(table, text, found, self._engine)
        present = tuple(name for name in table.column_names if name in names)
        return ExtractQuery(table, text, present, self._summable(table, text, present), zoneless)

    @property
    def default_time_zone(self) -> str:
        """The zone of instants that have none."""
        return self._zone if self._is_postgresql else "UTC"

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

    def undated_rows(self, query: ExtractQuery) -> tuple[int, int, list[str]] | None:
        """Rows that no month can ever hold, for want of a usable recorded_at; all rows; and a few keys of the former.

        None: they cannot be counted, since the query compares no column with its bounds.
        """
        text = undated.of_no_month(query.text, self._engine)
        if text is None:
            return None
        others, instant = replace(query, text=text), query.table.recorded_column
        condition = undated.is_unusable(instant)
        try:
            [(found,)] = self.values(others, "count(*)", f"where {condition}", **_ALL)
        except (SourceContractError, SourceUnavailableError):  # some databases compare no text with an instant
            condition = undated.is_unusable_text(instant, self._engine.dialect)
            try:
                [(found,)] = self.values(others, "count(*)", f"where {condition}", **_ALL)
            except SourceContractError:
                return None
        if not found:
            return 0, 0, []
        [(dated,)] = self.values(query, "count(*)", f"where not {condition}", **_ALL)
        key = ", ".join(name for name in query.table.key if name != instant)
        names = self.values(others, key, f"where {condition} order by {key}", _EXAMPLES, **_ALL)
        return found, found + dated, [" ".join(map(str, name)).strip() or "without an id" for name in names]

    def require_cents(self, query: ExtractQuery) -> None:
        """SourceContractError where money of any month has more than two decimals."""
        if query.summable:
            [found] = self.values(query, totals(query.summable), **_ALL)
            read_totals(query, found)

    def ids_in_two_cases(
        self, query: ExtractQuery, column: str, referred: tuple[ExtractQuery, str] | None = None
    ) -> list[str]:
        """A few ids of a column, in lower case, that differ from another one only in case.

        ``referred``: the query and column that ``column`` refers to; then those which are not there but for their case.
        The database reads each column once and joins nothing.
        """
        parts = [(query, column), *([referred] if referred else [])]
        listed = (
            f"select distinct {self._exact(name)} as id, {side} as side from ({part.text}\n) p{side}"
            for side, (part, name) in enumerate(parts)
        )
        ids = f"select id, max(side) as side from ({' union all '.join(listed)}) parts group by id"
        then = "group by lower(id) having count(*) > 1 and min(side) = 0 order by 1"
        return [name for (name,) in self.values(replace(query, text=ids), "lower(id)", then, _EXAMPLES, **_ALL)]

    def _exact(self, column: str) -> str:
        """A column as text that the database compares letter by letter."""
        text: sa.ColumnElement = sa.cast(sa.literal_column(column), sa.String(200))
        collation = _BY_LETTER.get(self._engine.dialect.name)
        return str((sa.collate(text, collation) if collation else text).compile(dialect=self._engine.dialect))

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
                f"adapt {location(query.table)}"
            ) from None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

    @contextmanager
    def reading(self, query: ExtractQuery, **parameters: datetime) -> Iterator[Reading]:
        """The rows of a query as a stream; an error of the source while they are read leaves this block as ours."""
        opened = self._reading_arrow if self._is_postgresql else self._reading_rows
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
                cursor.execute(self._time_zone)
                cursor.execute(f"select {totals(query.summable)} from ({text}\n) q")
                rows, sums = read_totals(query, cursor.fetchone())
                cursor.execute(text)
                reader = cursor.fetch_record_batch()
                reading = Reading(rows, sums, reader)
                reading.batches = arrow_rows.watched(reader.schema, reader, reading.failure)
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
            self._adbc = dbapi.connect(libpq_uri(self._url))
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
            counted = self._bound(f"select {totals(query.summable)} from ({query.text}\n) q", parameters)
            rows, sums = read_totals(query, connection.execute(counted).one())
            result = connection.execution_options(stream_results=True, yield_per=_CHUNK_ROWS).execute(
                self._bound(query.text, parameters)
            )
            schema = pa.schema([(name, pa.string()) for name in tuple(result.keys())])
            reading = Reading(rows, sums, None)
            reading.batches = arrow_rows.watched(
                schema, arrow_rows.as_batches(result, schema, self._bits(result)), reading.failure
            )
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
            with self._connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._clear(table, error) from error

    def _connect(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except OSError as error:  # oracledb's, where a host has no address
            raise self._unavailable(error) from error

    def _columns(self, text: str) -> list[tuple[str, Any]]:
        return self._tried(f"select * from ({text}\n) q where 1 = 0")

    def _tried(self, text: str) -> list[tuple[str, Any]]:
        """The columns of a statement that reads no row, with the driver's codes of their types.

        A refusal is the database's own error.
        """
        try:
            with self._connect() as connection:
                parameters = {"recorded_from": BEGINNING, "recorded_before": BEGINNING}
                result = connection.execute(self._bound(text, parameters))
                types = [column[1] for column in result.cursor.description]
                return list(zip(result.keys(), types, strict=True))
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated or not self._is_up():
                raise self._unavailable(error) from error
            raise

    def _is_up(self) -> bool:
        try:
            with self._connect():
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
            self._tried(f"select {totals(names)} from ({text}\n) q where 1 = 0")
        except sa.exc.DBAPIError:
            return False
        return True

    def _bound(self, text: str, parameters: dict[str, datetime]) -> sa.TextClause:
        return query_text.bound(text, parameters, self._url.get_backend_name())

    # -- errors -------------------------------------------------------------------------------------------------

    def _clear(self, table: SourceTable, error: Exception) -> SourceContractError | SourceUnavailableError:
        state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        refused = isinstance(error, sa.exc.ProgrammingError | sa.exc.DataError)
        if state[:2] in _REFUSALS or (refused and not state):
            return self._refused(table, error)
        return self._unavailable(error)

    def _refused(self, table: SourceTable, error: Exception) -> SourceContractError:
        return SourceContractError(
            f"{table.name}: the billing system at {self._where} refuses {location(table)}: {self._reason(error)}"
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"the billing system at {self._where} cannot be read: {self._reason(error)}; check that it is up and "
            "GRIDGRADE_SOURCE_URL, then run again: what was read is kept"
        )

    def _reason(self, error: Exception) -> str:
        """The database's own words on one line, without the password, should they quote the URL."""
        text = without_password(str(getattr(error, "orig", None) or error), self._url)
        text = re.split(r"\n(?:LINE \d+:|\s*\^|Query was:)", text, maxsplit=1)[0]
        return " ".join(text.split()).rstrip(". ")


def _execute(connection: Any, statement: str) -> None:
    """Run a statement on a driver's own connection."""
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()
