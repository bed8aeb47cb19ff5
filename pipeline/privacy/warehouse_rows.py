"""Customers in the warehouse become a pseudonym that leads nowhere: counts, sums and grades stay what they were."""

import json
import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, text

from pipeline.actions.outbox import approval
from pipeline.errors import ActionError
from pipeline.privacy import holdings
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.audit import hash_of_customers
from pipeline.warehouse.statements import statement

_CLOSED = ("close_events", "close_actions", "close_overrides", "remove_notices")


def require_unsent(connection: Connection, customers: Collection[str]) -> None:
    """ActionError where an action of one of these is being sent right now."""
    query = text(
        "select count(*) from ops.service_actions "
        "where customer_id = any(:customers) and status = 'approved' and leased_until > now()"
    )
    if connection.execute(query, {"customers": list(customers)}).scalar_one():
        raise ActionError("an action of the customer is being sent right now: erase again when it is done")


def rename(connection: Connection, customers: Collection[str], erased_by: str) -> None:
    """In one transaction: what is about to be done for these customers is withdrawn, what is said of them goes, and
    their rows stay under a pseudonym, the same in every month, that is written down nowhere beside them."""
    bound: dict[str, Any] = {
        "customers": list(customers),
        "pseudonyms": [f"erased-{uuid.uuid4().hex}" for _ in customers],
        "erased_by": erased_by,
    }
    approval.take_lock(connection)
    approval.acts_as(connection, erased_by, "erased")
    require_unsent(connection, customers)
    for name in _CLOSED:
        connection.execute(text(statement(f"privacy/{name}")), bound)
    connection.execute(text(statement("privacy/rename_in_changes")), bound)
    published = [*publications.published(connection), *publications.replaced(connection)]
    revision_of = {f"rating.{name}": (one, table) for one in published for table, name in revisions.tables(one).items()}
    hashes: dict[uuid.UUID, dict[str, dict]] = {}
    for name in holdings.in_warehouse(connection, customers):
        publication, table = revision_of.get(name, (None, ""))
        stated = publication.table_hashes.get(table) if publication else None
        before = hash_of_customers(connection, name, stated["columns"], bound["customers"]) if stated else None
        connection.execute(text(statement("privacy/rename_customers", table=name)), bound)
        if publication and stated and before is not None:
            after = hash_of_customers(connection, name, stated["columns"], bound["pseudonyms"])
            said = hashes.setdefault(publication.publication_id, {**publication.table_hashes})
            said[table] = {**stated, "hash": str(int(stated["hash"]) - before + (after or 0))}
    for publication_id, of_tables in hashes.items():
        connection.execute(
            text("update ops.publications set table_hashes = cast(:hashes as jsonb) where publication_id = :id"),
            {"id": publication_id, "hashes": json.dumps(of_tables, sort_keys=True)},
        )
