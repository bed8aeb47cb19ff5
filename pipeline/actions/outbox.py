"""The outbox ops.service_actions: an action is decided once, and stays as it is once somebody has acted on it."""

import json
import uuid
from typing import TYPE_CHECKING

from pipeline.warehouse.publications import Publication

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

UNTOUCHED = "('proposed', 'suppressed')"
"""Statuses, as SQL, of an action that nobody has acted on: it may still be decided anew."""

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "gridgrade:service-actions")


def action_id(action_type: str, *reference: str) -> str:
    """The id of an action, made from what it is for, so that deciding twice makes it once."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([action_type, *reference])))


def may_fire(publication: Publication) -> bool:
    """Only what follows from the latest month, and not from a backfill, is proposed; the rest is written suppressed."""
    return publication.run_kind != "backfill" and bool(publication.is_latest_month)


def propose(cursor: "Cursor", publication: Publication, action_type: str, decided: str) -> int:
    """Write the actions that the query ``decided`` returns; the rows that changed are counted.

    It returns action_id, customer_id, reason, payload (jsonb) and is_suppressed (never to be sent, whatever the
    publication). An action that was proposed stays so; one that was suppressed is judged anew where it, or the
    publication it follows from, has changed.
    """
    return written(
        cursor,
        "insert into ops.service_actions as s "
        "(action_id, rating_month, customer_id, action_type, reason, payload, status, publication_id) "
        "select cast(d.action_id as uuid), $1, d.customer_id, $2, d.reason, d.payload, "
        "case when $3 and not d.is_suppressed then 'proposed' else 'suppressed' end, cast($4 as uuid) "
        f"from ({decided}) as d order by d.action_id "
        "on conflict (action_id) do update set reason = excluded.reason, payload = excluded.payload, "
        "status = case when s.status = 'proposed' then s.status else excluded.status end, "
        "publication_id = excluded.publication_id, updated_at = now() "
        f"where s.status in {UNTOUCHED} and (s.reason, s.payload, s.publication_id) "
        "is distinct from (excluded.reason, excluded.payload, excluded.publication_id) "
        "returning 1",
        [
            publication.rating_month.first_day,
            action_type,
            may_fire(publication),
            str(publication.publication_id),
        ],
    )


def withdraw(cursor: "Cursor", which: str, parameters: list, reason: str) -> int:
    """Suppress those actions of the query ``which`` (of action_id) that nobody has acted on, for a reason."""
    place = len(parameters) + 1
    return written(
        cursor,
        f"update ops.service_actions set status = 'suppressed', reason = ${place}, updated_at = now() "
        f"where action_id in ({which}) and status in {UNTOUCHED} returning 1",
        [*parameters, reason],
    )


def written(cursor: "Cursor", statement: str, parameters: list | None = None) -> int:
    """How many rows a statement that ends in ``returning 1`` wrote."""
    cursor.execute(f"with written as ({statement}) select count(*) from written", parameters)
    return cursor.fetchone()[0]
