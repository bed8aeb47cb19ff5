"""Customers who were erased: ops.erasures."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction


def begin(
    connection: Connection, customers_sha256: Collection[str], erased_by: str, reason: str, found: Mapping[str, int]
) -> None:
    """Put erasures on record before anything is erased; ``found``: rows by table, of all these customers."""
    statement = text(
        "insert into ops.erasures (customer_sha256, erased_by, reason, found) "
        "select unnest(cast(:customers as text[])), :erased_by, :reason, :found"
    ).bindparams(bindparam("found", type_=JSONB))
    bound = {"customers": sorted(customers_sha256), "erased_by": erased_by, "reason": reason, "found": dict(found)}
    connection.execute(statement, bound)


def complete(connection: Connection, customers_sha256: Collection[str]) -> None:
    """Record that nothing is left of these customers."""
    connection.execute(
        text(
            "update ops.erasures set completed_at = now() "
            "where completed_at is null and customer_sha256 = any(:customers)"
        ),
        {"customers": list(customers_sha256)},
    )


def erased(settings: Settings) -> frozenset[str]:
    """customer_sha256 of all who were erased."""
    with transaction(settings) as connection:
        return frozenset(connection.scalars(text("select customer_sha256 from ops.erasures")))


def unfinished(connection: Connection) -> dict[str, tuple[datetime, str]]:
    """By customer_sha256, when an erasure that was broken off began, and who decided it."""
    rows = connection.execute(
        text("select customer_sha256, erased_at, erased_by from ops.erasures where completed_at is null order by 2")
    )
    return {row.customer_sha256: (row.erased_at, row.erased_by) for row in rows}
