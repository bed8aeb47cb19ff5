"""Decisions of people and of the policy on actions: approve, deny, release, acknowledge. Every change is recorded.

proposed -> approved -> dispatched -> acknowledged is the way of an action that goes well. The policy approves by itself
what its types call automatic and a scheduled run decided; a person approves the rest, or denies it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.actions.outbox import propose
from pipeline.errors import ActionError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement


@dataclass(frozen=True)
class Chosen:
    """A selection of actions: by id, or all of a month, of a type, or of both."""

    ids: Sequence[UUID] = ()
    month: RatingMonth | None = None
    action_type: str | None = None

    @property
    def condition(self) -> str:
        """The selection as an SQL condition on a row called s."""
        if self.ids:
            return "s.action_id = any(:ids)"
        by = {"month": "s.rating_month = :month", "action_type": "s.action_type = :action_type"}
        return " and ".join(by[name] for name in self.parameters) or "false"

    @property
    def parameters(self) -> dict[str, Any]:
        if self.ids:
            return {"ids": list(self.ids)}
        values = {"month": self.month and self.month.first_day, "action_type": self.action_type}
        return {name: value for name, value in values.items() if value is not None}


def approve(settings: Settings, policy: Policy, chosen: Chosen, by: str) -> int:
    """Approve proposed actions; returns how many. By ids all or none: one that is not proposed is an ActionError."""
    with transaction(settings) as connection:
        take_lock(connection)
        acts_as(connection, by)
        _check(connection, chosen, "approved", lambda row: _why_not_approved(row, policy))
        return _change(
            connection, "approve", chosen, {"types": statement("outbox/policy_types")}, by=by, types=terms(policy)
        )


def deny(settings: Settings, chosen: Chosen, by: str, reason: str) -> int:
    """Suppress actions unless a person releases them later; returns how many. By ids all or none."""
    with transaction(settings) as connection:
        take_lock(connection)
        acts_as(connection, by, f"denied: {reason}")
        _check(connection, chosen, "denied", _why_not_denied)
        return _change(connection, "deny", chosen)


def release(settings: Settings, policy: Policy, chosen: Chosen, by: str) -> int:
    """Restart suppressed or failed actions and those that follow them; returns how many. By ids all or none.

    They are approved where the policy approves their type automatically, and proposed otherwise.
    """
    with transaction(settings) as connection:
        take_lock(connection)
        acts_as(connection, by, "released")
        _check(connection, chosen, "released", lambda row: _why_not_released(row, chosen))
        fragments = {"releasable": statement("outbox/releasable"), "types": statement("outbox/policy_types")}
        return _change(connection, "release", chosen, fragments, by=by, types=terms(policy))


def acknowledge(settings: Settings, chosen: Chosen, by: str) -> int:
    """Record that dispatched actions are done; returns how many. By ids all or none."""
    with transaction(settings) as connection:
        take_lock(connection)
        acts_as(connection, by)
        _check(connection, chosen, "acknowledged", _why_not_acknowledged)
        return _change(connection, "acknowledge", chosen, by=by)


def approve_by_policy(connection: Connection, policy: Policy, most: int) -> int:
    """Approve actions that scheduled runs proposed and whose type is approved automatically, at most so many; returns
    how many."""
    types = {"types": statement("outbox/policy_types"), "which": f"s.action_id in ({statement('outbox/to_approve')})"}
    automatic = [name for name, each in policy.actions.types.items() if each.approval == "automatic"]
    parameters = {"by": "policy", "types": terms(policy), "automatic": automatic, "most": most}
    return connection.execute(text(statement("outbox/approve", **types)), parameters).rowcount


def terms(policy: Policy) -> str:
    """The policy's action types as the JSON that the statements read."""
    return json.dumps([{"action_type": name, **each.model_dump()} for name, each in policy.actions.types.items()])


def take_lock(connection: Connection) -> None:
    """Take the outbox's lock until the transaction ends; see ``propose.take_lock``."""
    connection.execute(text(propose.TAKE_LOCK))


def acts_as(connection: Connection, actor: str, note: str = "") -> None:
    """Record changes of status as made by ``actor``, with a note, until the transaction ends."""
    connection.execute(
        text("select set_config('gridgrade.actor', :actor, true), set_config('gridgrade.note', :note, true)"),
        {"actor": actor, "note": note},
    )


def proposed(settings: Settings, month: RatingMonth) -> dict[str, int]:
    """How many actions of a month are proposed, by type, the most first."""
    with transaction(settings) as connection:
        counted = connection.execute(text(statement("outbox/proposed")), {"month": month.first_day})
        return {row.action_type: row.actions for row in counted}


def listed(
    settings: Settings, *, month: RatingMonth | None = None, action_type: str | None = None, status: str | None = None
) -> Iterator[Mapping[str, Any]]:
    """Stream the actions with these properties, the newest month first, within it the most urgent."""
    wanted = {"rating_month": month and month.first_day, "action_type": action_type, "status": status}
    given = {name: value for name, value in wanted.items() if value is not None}
    condition = " and ".join(f"{name} = :{name}" for name in given) or "true"
    query = text(
        f"select * from ops.service_actions where {condition} "
        "order by rating_month desc, status, priority, action_type, customer_id, action_id"
    )
    with transaction(settings) as connection:
        for row in connection.execution_options(yield_per=1000).execute(query, given).mappings():
            yield dict(row)


def found(settings: Settings, action_id: UUID) -> dict[str, Any]:
    """An action and, as ``events``, its history in chronological order; ActionError where there is none."""
    with transaction(settings) as connection:
        query = text("select * from ops.service_actions where action_id = :id")
        row = connection.execute(query, {"id": action_id}).mappings().one_or_none()
        if row is None:
            raise _unknown(action_id)
        query = text(
            "select changed_at, status, changed_by, note from ops.service_action_events "
            "where action_id = :id order by event_id"
        )
        events = connection.execute(query, {"id": action_id}).mappings().all()
    return {**row, "events": [dict(event) for event in events]}


def _change(
    connection: Connection, name: str, chosen: Chosen, fragments: Mapping[str, str] | None = None, **parameters: Any
) -> int:
    change = text(statement(f"outbox/{name}", which=chosen.condition, **(fragments or {})))
    return connection.execute(change, parameters | chosen.parameters).rowcount


def _check(connection: Connection, chosen: Chosen, verb: str, why_not) -> None:
    """ActionError unless every action named by id exists and is in a fit state; locks their rows."""
    query = text(statement("outbox/state_of_chosen"))
    rows = {row.action_id: row for row in connection.execute(query, {"ids": list(chosen.ids)})}
    for action_id in chosen.ids:
        if action_id not in rows:
            raise _unknown(action_id)
        if reason := why_not(rows[action_id]):
            raise ActionError(f"action {action_id} cannot be {verb}: {reason}; nothing was changed")


def _unknown(action_id: UUID) -> ActionError:
    return ActionError(f"there is no action {action_id}: gridgrade actions list shows them")


def _why_not_approved(row, policy: Policy) -> str | None:
    if row.status == "suppressed":
        return "it is suppressed, gridgrade actions release comes first"
    if row.status == "blocked":
        return f"it is blocked by {row.blocked_by}"
    if row.status != "proposed":
        return f"it is {row.status}"
    if row.action_type not in policy.actions.types:
        return f"the policy's actions.types has no {row.action_type}"
    return None


def _why_not_denied(row) -> str | None:
    if row.status not in ("proposed", "approved", "failed"):
        return f"it is {row.status}"
    return "it is being sent right now" if row.is_leased else None


def _why_not_released(row, chosen: Chosen) -> str | None:
    if row.status not in ("suppressed", "failed"):
        return f"it is {row.status}"
    if row.suppressed_by == "withdrawal":
        return "it was withdrawn, as it is no longer due"
    if row.blocked_by:
        return f"it is blocked by {row.blocked_by}"
    if row.is_late:
        return "it has expired"
    if row.followed_status in ("suppressed", "failed") and row.follows not in chosen.ids:
        return f"it follows action {row.follows}, which is {row.followed_status}: release that one"
    return None


def _why_not_acknowledged(row) -> str | None:
    return None if row.status == "dispatched" else f"it is {row.status}, and only what was dispatched can be done"
