"""Connections and transactions of the warehouse. Errors are one line and hold no password."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from pipeline.database import connect, libpq_uri, without_password
from pipeline.errors import ConfigError, WarehouseUnavailableError, is_out_of_space
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager import AdbcDatabase
    from adbc_driver_postgresql.dbapi import Connection as BulkConnection
    from adbc_driver_postgresql.dbapi import Cursor

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def transaction(settings: Settings) -> Iterator[Connection]:
    """One transaction by SQLAlchemy: committed on a clean exit, rolled back on an error."""
    url = warehouse_url(settings)
    try:
        with connect(url).begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise unavailable(url, error.orig) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise unavailable(url, error.orig) from error
        raise


@contextmanager
def session(settings: Settings) -> Iterator[Connection]:
    """A connection for several transactions, one after the other: ``with connection.begin(): ...``."""
    url = warehouse_url(settings)
    try:
        with connect(url).connect() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise unavailable(url, error.orig) from error


@contextmanager
def bulk_transaction(settings: Settings) -> Iterator["BulkConnection"]:
    """One transaction by ADBC, for streams of Arrow batches: ``connection.cursor().adbc_ingest(...)``."""
    from adbc_driver_manager import AdbcConnection
    from adbc_driver_postgresql import dbapi

    url = warehouse_url(settings)
    try:
        driver = _bulk_driver(libpq_uri(url))
        with dbapi.Connection(_KeptOpen(), AdbcConnection(driver)) as connection:
            yield connection
            connection.commit()
    except dbapi.OperationalError as error:
        raise unavailable(url, error) from error


@lru_cache(maxsize=4)
def _bulk_driver(uri: str) -> "AdbcDatabase":
    """What ADBC's connections to a server share, made once a process, since the driver then reads the whole catalogue
    of types: one for each table, and each month brings some. It holds no connection."""
    import adbc_driver_postgresql

    return adbc_driver_postgresql.connect(uri)


class _KeptOpen:
    """Stands for the driver's database in a connection, whose end would close the one that others share."""

    def close(self) -> None: ...


@contextmanager
def ingested(cursor: "Cursor", table: str, rows: "pa.RecordBatchReader") -> Iterator[None]:
    """``rows`` as a temporary table of a bulk transaction, dropped when the block ends."""
    cursor.adbc_ingest(table, rows, mode="create", temporary=True)
    for column in rows.schema:
        if hasattr(column.type, "scale"):  # a decimal comes as a numeric of any scale, and would print without zeros
            kind = f"numeric({column.type.precision}, {column.type.scale})"
            cursor.execute(f"alter table {table} alter {column.name} type {kind}")
    yield
    cursor.execute(f"drop table {table}")


def side_by_side(
    connection: Connection, do: Callable[[Connection, Item], Result], items: Iterable[Item]
) -> list[Result]:
    """``do`` for every item, two at a time and each on a connection of its own; results and errors in the items' order.

    The connections are to the same database as ``connection``, which waits.
    """

    def on_its_own(item: Item) -> Result:
        with connection.engine.connect() as own:
            return do(own, item)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(on_its_own, items))


def warehouse_url(settings: Settings) -> URL:
    """The warehouse's address; a database that is not PostgreSQL is a ConfigError."""
    if settings.warehouse.get_backend_name() != "postgresql":
        raise ConfigError(
            f"GRIDGRADE_WAREHOUSE_URL is a {settings.warehouse.get_backend_name()} database: "
            "the warehouse must be PostgreSQL 14 or later"
        )
    return settings.warehouse


def where(url: URL) -> str:
    """Host and database of an address, fit for a message."""
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'localhost'}{port}/{url.database or ''}"


def unavailable(url: URL, error: object) -> WarehouseUnavailableError:
    reason = " ".join(without_password(str(error), url).split("\n")[0].split()) or type(error).__name__
    is_full = isinstance(error, BaseException) and is_out_of_space(error)
    way_out = "make room on its disk" if is_full else "check GRIDGRADE_WAREHOUSE_URL"
    return WarehouseUnavailableError(
        f"the warehouse {where(url)} cannot be used: {reason}; readers keep what is published, {way_out} and run again"
    )


def driver_connection(connection: Connection) -> Any:
    """psycopg's connection below one of SQLAlchemy's: for statements of more than one command, and for COPY."""
    return connection.connection.driver_connection
