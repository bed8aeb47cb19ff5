"""Locks on rating months: advisory locks in the warehouse, released when the session that holds them ends.

A run writes partitions of the lake that its next step reads, so one run of a month goes on at a time, on either basis.
Publishing takes a second lock within it. Cleaning waits until no month is being rated.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.database import connect
from pipeline.errors import WarehouseUnavailableError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import unavailable, warehouse_url
from pipeline.warehouse.statements import statement

PUBLISHING = 7_269_462
RATING = 7_269_463
REPORTING = 7_269_464
_ANY_MONTH = 0
_HOLDER: ContextVar[int | None] = ContextVar("_HOLDER", default=None)  # of the month's lock: a process of PostgreSQL
_DOING = {PUBLISHING: "publishing", RATING: "rating", REPORTING: "reporting"}


@contextmanager
def rating(
    settings: Settings, month: RatingMonth, timeout_seconds: float, who: str, *, is_shared: bool = False
) -> Iterator[None]:
    """Hold the month's lock during the block: exclusive, or shared by tasks that do not write each other's partitions.

    ``who`` is shown to those who wait. WarehouseUnavailableError, which names who holds it, when it is not
    free within the timeout.
    """
    with _session(settings, who) as connection:
        _take(connection, RATING, _ANY_MONTH, timeout_seconds, "the lake is being cleaned", is_shared=True)
        take(connection, RATING, month, timeout_seconds, is_shared=is_shared)
        with connection.begin():
            before = _HOLDER.set(connection.scalar(text("select pg_backend_pid()")))
        try:
            yield
        finally:
            _HOLDER.reset(before)


def require_rating(connection: Connection, month: RatingMonth) -> None:
    """WarehouseUnavailableError where this run's lock on the month is lost: its session has ended, and another run may
    have begun. Nothing is asked of who runs outside ``rating``."""
    holder = _HOLDER.get()
    if holder is None:
        return
    held = {"holder": holder, "kind": RATING, "key": month.number}
    if not connection.scalar(text(statement("locks/is_held")), held):
        raise WarehouseUnavailableError(
            f"{month}: the lock of this run was lost, warehouse process {holder} has ended, and another run may have "
            "begun; readers keep what they see, run again"
        )


@contextmanager
def reporting(settings: Settings, month: RatingMonth, timeout_seconds: float) -> Iterator[None]:
    """One report of a month at a time, or the page that read the older figures could be written last."""
    with _session(settings, f"gridgrade report {month}") as connection:
        take(connection, REPORTING, month, timeout_seconds)
        yield


@contextmanager
def cleaning(settings: Settings, timeout_seconds: float, who: str = "gridgrade clean") -> Iterator[None]:
    """Lock out all ratings during the block; WarehouseUnavailableError when one lasts longer than the timeout."""
    with _session(settings, who) as connection:
        _take(connection, RATING, _ANY_MONTH, timeout_seconds, "a month is being rated")
        yield


def take(
    connection: Connection, kind: int, month: RatingMonth, timeout_seconds: float, *, is_shared: bool = False
) -> None:
    """Take a month's lock of a kind for the session; WarehouseUnavailableError when another keeps it too long."""
    taken = f"{month}: another run is {_DOING[kind]} this month"
    _take(connection, kind, month.number, timeout_seconds, taken, is_shared=is_shared)


@contextmanager
def _session(settings: Settings, who: str) -> Iterator[Connection]:
    """A session for locks alone; an error of the block passes through unchanged."""
    url = warehouse_url(settings)
    engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise unavailable(url, error.orig) from error
    try:
        with connection.begin():
            connection.execute(text("select set_config('application_name', :who, false)"), {"who": who})
        yield connection
    finally:
        with suppress(DBAPIError):  # the server may be gone, and the lock with it
            connection.close()


def _take(
    connection: Connection, kind: int, key: int, timeout_seconds: float, taken: str, *, is_shared: bool = False
) -> None:
    attempt = text(f"select pg_try_advisory_lock{'_shared' if is_shared else ''}(:kind, :key)")
    deadline = time.monotonic() + timeout_seconds
    while True:
        with connection.begin():
            if connection.execute(attempt, {"kind": kind, "key": key}).scalar_one():
                return
            if time.monotonic() > deadline:
                raise WarehouseUnavailableError(
                    f"{taken} ({_holder(connection, kind, key)}) and was not done within {timeout_seconds:g} s: "
                    "run again when it is"
                )
        time.sleep(0.2)


def _holder(connection: Connection, kind: int, key: int) -> str:
    """Who holds a lock, and since when they are there."""
    found = connection.execute(text(statement("locks/holder")), {"kind": kind, "key": key}).one_or_none()
    if found is None:
        return "it has ended since"
    name, pid, since = found
    return f"{name + ', ' if name else ''}warehouse process {pid}, since {since:%Y-%m-%d %H:%M}"
