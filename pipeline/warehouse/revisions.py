"""A month's revision in the warehouse: loaded into tables of its own, sealed, and swapped in by one transaction.

Revision 3 of October 2026 is ``rating.credit_grades_2026_10_r3`` and its like for every table of ``TABLES``: staged
tables first, partitions of ``rating.credit_grades`` and the others once published, tables of their own again when a
later revision has taken their place. A staged table without a publication was left by a run that died.

Attaching a partition shows it to every transaction, however old; its rows must be visible to them too, or one that
began before they were loaded would find the month empty. Hence COPY with FREEZE.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from pipeline.database import connect
from pipeline.errors import AuditError, NotPublishedError, WarehouseUnavailableError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, locks, publications
from pipeline.warehouse.connection import (
    bulk_transaction,
    driver_connection,
    side_by_side,
    unavailable,
    warehouse_url,
    where,
)
from pipeline.warehouse.monthly_tables import TABLES
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement
from pipeline.warehouse.tables import portfolio_cells

if TYPE_CHECKING:
    import pyarrow as pa

# Shorter than PostgreSQL's deadlock_timeout, so that in a deadlock it is publishing that steps back; and new readers
# never queue behind a waiting swap for longer than this.
_PATIENCE_MILLISECONDS = 800
_ROUGHLY = 10
"""So many times 300 rows are sampled: with the key as its only index, a table has few plans to choose among."""


def staged_name(table: str, month: RatingMonth, revision: int) -> str:
    return f"{table}_{month.year:04d}_{month.month:02d}_r{revision}"


def tables(publication: Publication) -> dict[str, str]:
    """The tables of a revision, by the monthly table that each is, was or will be a partition of."""
    return {table: staged_name(table, publication.rating_month, publication.revision) for table in TABLES}


@contextmanager
def publishing(settings: Settings, month: RatingMonth, timeout_seconds: int) -> Iterator[Connection]:
    """A connection that holds the month's lock: one run at a time publishes a month. Leftovers of dead runs are gone.

    WarehouseUnavailableError when another run keeps the lock for longer than the timeout.
    """
    url = warehouse_url(settings)
    try:
        with connect(url).connect() as connection:
            locks.take(connection, locks.PUBLISHING, month, timeout_seconds)
            _drop_leftovers(connection, month)
            yield connection
    except OperationalError as error:
        raise unavailable(url, error.orig) from error
    except psycopg.OperationalError as error:
        raise unavailable(url, error) from error


def stage(connection: Connection, table: str, publication: Publication, batches: "pa.RecordBatchReader") -> None:
    """Create and fill the table of a revision; ``batches`` lack rating_month and publication_id.

    Only the types are checked here; the audit checks everything else.
    """
    from pyarrow import BufferOutputStream, csv

    month, name = publication.rating_month, staged_name(table, publication.rating_month, publication.revision)
    first, following = month.first_day, (month + 1).first_day
    columns = ", ".join(f'"{column}"' for column in batches.schema.names)
    options = csv.WriteOptions(include_header=False)
    with connection.begin(), _refusals(month, table):
        driver = driver_connection(connection)
        driver.execute(
            f"create table rating.{name} (like rating.{table} including all excluding indexes excluding constraints)"
        )
        driver.execute(statement("publications/allow_nulls", staged=name, parent=table))
        driver.execute(
            f"alter table rating.{name} alter rating_month set default '{first}', "
            f"alter publication_id set default '{publication.publication_id}', "
            f"add constraint of_its_month check (rating_month >= '{first}' and rating_month < '{following}')"
        )
        with driver.cursor().copy(f"copy rating.{name} ({columns}) from stdin (format csv, freeze)") as copy:
            for batch in batches:
                block = BufferOutputStream()
                csv.write_csv(batch, block, options)
                copy.write(memoryview(block.getvalue()))
        driver.execute(f"alter table rating.{name} alter rating_month drop default, alter publication_id drop default")


def index(connection: Connection, staged: Mapping[str, str]) -> list[str]:
    """Give the staged tables their keys and statistics; returns the tables in which a key is not unique."""

    def is_unique(own: Connection, table: str) -> bool:
        key, name = ", ".join(TABLES[table].key), staged[table]
        try:
            with own.begin():
                own.execute(text(f"alter table rating.{name} add primary key (rating_month, {key})"))
                own.execute(text(f"set local default_statistics_target = {_ROUGHLY}"))
                own.execute(text(f"analyze rating.{name}"))
        except IntegrityError:
            return False
        return True

    unique = side_by_side(connection, is_unique, staged)
    return [table for table, is_key in zip(staged, unique, strict=True) if not is_key]


def seal(connection: Connection, table: str, publication: Publication) -> None:
    """Give a staged table every constraint of its parent, so that attaching it looks at no row."""
    name = staged_name(table, publication.rating_month, publication.revision)
    with connection.begin(), _refusals(publication.rating_month, table):
        driver = driver_connection(connection)
        [changes] = driver.execute(statement("publications/seal_staged", parent=table)).fetchone()
        if changes:
            driver.execute(f"alter table rating.{name} {changes}")


@contextmanager
def _refusals(month: RatingMonth, table: str) -> Iterator[None]:
    """A row that the warehouse's types or constraints refuse is an AuditError."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
        reason = str(error).partition("\n")[0]
        raise AuditError(f"{month}: the warehouse does not take the rows of {table}: {reason}") from error


def swap(
    connection: Connection,
    publication: Publication,
    timeout_seconds: int,
    also: Callable[[Connection], None] = lambda connection: None,
) -> Publication:
    """Readers see the new revision from here on: all tables and the publication in one transaction, which also marks
    the months after it that were built on what it replaces, and ``also`` what else becomes true with it. What was
    recorded.

    WarehouseUnavailableError, which names who is reading, when the tables stay locked for longer than the timeout, or
    when the run has lost its lock on the month.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with connection.begin():
                connection.execute(text(f"set local lock_timeout = {_PATIENCE_MILLISECONDS}"))
                parents = ", ".join(f"rating.{table}" for table in TABLES)
                connection.execute(text(f"lock table {parents} in access exclusive mode"))
                locks.require_rating(connection, publication.rating_month)
                for table in TABLES:
                    _swap_partition(connection, table, publication)
                also(connection)
                publications.record(connection, publication)
                carry_over.mark_stale(connection, publication.rating_month)
                return publications.of_month(connection, publication.rating_month)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in ("55P03", "40P01"):
                raise
            if time.monotonic() > deadline:
                raise _locked(connection, publication.rating_month, timeout_seconds) from None
            time.sleep(0.2)


@contextmanager
def rows(
    settings: Settings, publication: Publication, table: str, columns: Iterable[str], *, by: str | None = None
) -> Iterator["pa.RecordBatchReader"]:
    """The rows of a revision, whether readers see it or it was replaced; a column it does not have yet is null.

    ``by``: the column to sort by.

    NotPublishedError when the rows of a replaced revision were removed.
    """
    name = staged_name(table, publication.rating_month, publication.revision)
    with bulk_transaction(settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select attname from pg_attribute where attrelid = to_regclass($1) and attnum > 0", [f"rating.{name}"]
        )
        held = {column for (column,) in cursor.fetchall()}
        if not held:
            raise NotPublishedError(
                f"the rows of revision {publication.revision} of {publication.rating_month} were removed: "
                f"gridgrade rate {publication.rating_month} --basis {publication.basis} makes them again"
            )
        listed = (f'"{column}"' if column in held else f'cast(null as text) as "{column}"' for column in columns)
        cursor.execute(f"select {', '.join(listed)} from rating.{name}" + (f" order by {by}" if by else ""))
        yield cursor.fetch_record_batch()


def size_bytes(connection: Connection, publication: Publication) -> int:
    """What the tables of a revision take on disk."""
    query = text("select sum(pg_total_relation_size(to_regclass(name))) from unnest(cast(:names as text[])) as name")
    names = [f"rating.{name}" for name in tables(publication).values()]
    return int(connection.execute(query, {"names": names}).scalar() or 0)


def drop_rows(connection: Connection, publication: Publication) -> None:
    """Drop the tables of a replaced revision, and what was counted of it, in the caller's transaction."""
    for name in tables(publication).values():
        connection.execute(text(f"drop table if exists rating.{name}"))
    portfolio_cells.remove(connection, publication)


def drop(connection: Connection, names: list[str]) -> None:
    """Drop staged tables; tables that do not exist are ignored."""
    with connection.begin():
        for name in names:
            connection.execute(text(f"drop table if exists rating.{name}"))


def _swap_partition(connection: Connection, table: str, publication: Publication) -> None:
    month = publication.rating_month
    for attached in connection.execute(
        text(statement("publications/attached_revisions")),
        {"parent": f"rating.{table}", "prefix": f"{table}_{month.year:04d}_{month.month:02d}_r"},
    ).scalars():
        connection.execute(text(f"alter table rating.{table} detach partition rating.{attached}"))
    connection.execute(
        text(
            f"alter table rating.{table} attach partition rating.{staged_name(table, month, publication.revision)} "
            f"for values from ('{month.first_day}') to ('{(month + 1).first_day}')"
        )
    )


def _drop_leftovers(connection: Connection, month: RatingMonth) -> None:
    """Staged tables that no publication names, of this month and of any other that nobody is publishing."""
    with connection.begin():
        candidates = connection.execute(
            text(
                "select relname, regexp_match(relname, :name) "
                "from pg_class where relnamespace = 'rating'::regnamespace and relkind = 'r'"
            ),
            {"name": f"^(?:{'|'.join(TABLES)})_([0-9]{{4}})_([0-9]{{2}})_r([0-9]+)$"},
        ).all()
        revisions = connection.execute(text("select rating_month, revision from ops.publications"))
        published = {(month_of, revision) for month_of, revision in revisions}
    for name, parts in candidates:
        if parts is None:
            continue
        of = RatingMonth(int(parts[0]), int(parts[1]))
        if (of.first_day, int(parts[2])) in published:
            continue
        with connection.begin():
            free = text("select pg_try_advisory_xact_lock(:lock, :month)")
            if of == month or connection.execute(free, {"lock": locks.PUBLISHING, "month": of.number}).scalar_one():
                connection.execute(text(f"drop table if exists rating.{name}"))


def _locked(connection: Connection, month: RatingMonth, seconds: int) -> WarehouseUnavailableError:
    with connection.begin():
        holders = connection.execute(
            text(statement("publications/lock_holders")), {"tables": [f"rating.{table}" for table in TABLES]}
        ).all()
    who = ", ".join(
        f"{user} (process {pid}{', ' + application if application else ''})" for pid, user, application in holders
    )
    return WarehouseUnavailableError(
        f"{month}: could not be published within {seconds} s, the tables of {where(connection.engine.url)} are locked "
        f"by {who or 'a session that has ended since'}; readers keep what is published, run again"
    )
