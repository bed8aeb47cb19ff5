"""What people and the policy say of an action: approve, deny, release, acknowledge. Every change is on record.

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

# The policy's action types as rows, from the JSON of ``terms``.
TYPES = """jsonb_to_recordset(cast(:types as jsonb)) as t (
    action_type text, approval text, priority smallint, channels jsonb, due_hours float8, expires_hours float8
)"""

_APPROVE = f"""
update ops.service_actions as s
set status = 'approved',
    approved_by = :by,
    approved_at = now(),
    channel = t.channels ->> 0,
    priority = coalesce(s.priority, t.priority),
    due_at = coalesce(s.due_at, now() + make_interval(secs => t.due_hours * 3600)),
    updated_at = now()
from {TYPES}
where t.action_type = s.action_type and s.status = 'proposed' and {{which}}
"""

_DENY = """
update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'denial', leased_until = null, next_attempt_at = null, updated_at = now()
where s.status in ('proposed', 'approved', 'failed')
    and (s.leased_until is null or s.leased_until <= now())
    and {which}
"""

_RELEASABLE = """(
    (s.status = 'failed' or (s.status = 'suppressed' and s.suppressed_by is distinct from 'withdrawal'))
    and s.blocked_by is null
    and (s.expires_at is null or s.expires_at > now())
)"""

# What was suppressed only because the action it follows was, is released with it.
_RELEASE = f"""
with chosen as (
    select s.action_id
    from ops.service_actions as s
    where {_RELEASABLE} and {{which}}
),

released as (
    select action_id from chosen
    union
    select n.action_id
    from ops.service_actions as n
    inner join chosen as c on c.action_id = n.follows
    where n.status = 'suppressed' and n.suppressed_by in ('publication', 'followed') and n.blocked_by is null
),

starting as (
    select
        r.action_id,
        coalesce(t.approval = 'automatic', false) as is_approved,
        t.channels ->> 0 as channel,
        t.priority,
        now() + make_interval(secs => t.due_hours * 3600) as due_at
    from released as r
    inner join ops.service_actions as s on s.action_id = r.action_id
    left join {TYPES} on t.action_type = s.action_type
)

update ops.service_actions as s
set status = case when n.is_approved then 'approved' else 'proposed' end,
    approved_by = case when n.is_approved then :by end,
    approved_at = case when n.is_approved then now() end,
    priority = case when n.is_approved then coalesce(s.priority, n.priority) else s.priority end,
    due_at = case when n.is_approved then coalesce(s.due_at, n.due_at) else s.due_at end,
    suppressed_by = null,
    channel = case when n.is_approved then n.channel end,
    attempts = 0,
    next_attempt_at = null,
    leased_until = null,
    last_error = null,
    updated_at = now()
from starting as n
where s.action_id = n.action_id
"""

_ACKNOWLEDGE = """
update ops.service_actions as s
set status = 'acknowledged', acknowledged_by = :by, acknowledged_at = now(), updated_at = now()
where s.status = 'dispatched' and {which}
"""


@dataclass(frozen=True)
class Chosen:
    """Actions somebody named: by their ids, or all of a month, of a type, or of both."""

    ids: Sequence[UUID] = ()
    month: RatingMonth | None = None
    action_type: str | None = None

    @property
    def condition(self) -> str:
        """As SQL, of a row called s."""
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
    """Let proposed actions go; how many. By ids all or none: one that is not proposed is an ActionError."""
    with transaction(settings) as connection:
        take_turn(connection)
        acts_as(connection, by)
        _check(connection, chosen, "approved", lambda row: _why_not_approved(row, policy))
        return _change(connection, _APPROVE, chosen, by=by, types=terms(policy))


def deny(settings: Settings, chosen: Chosen, by: str, reason: str) -> int:
    """Suppress actions for good, unless a person releases them; how many. By ids all or none."""
    with transaction(settings) as connection:
        take_turn(connection)
        acts_as(connection, by, f"denied: {reason}")
        _check(connection, chosen, "denied", _why_not_denied)
        return _change(connection, _DENY, chosen)


def release(settings: Settings, policy: Policy, chosen: Chosen, by: str) -> int:
    """Give suppressed or failed actions another start, and with them what follows them; how many. By ids all or none.

    They are approved where the policy approves their type automatically, and proposed otherwise.
    """
    with transaction(settings) as connection:
        take_turn(connection)
        acts_as(connection, by, "released")
        _check(connection, chosen, "released", lambda row: _why_not_released(row, chosen))
        return _change(connection, _RELEASE, chosen, by=by, types=terms(policy))


def acknowledge(settings: Settings, chosen: Chosen, by: str) -> int:
    """Say that dispatched actions are done; how many. By ids all or none."""
    with transaction(settings) as connection:
        take_turn(connection)
        acts_as(connection, by)
        _check(connection, chosen, "acknowledged", _why_not_acknowledged)
        return _change(connection, _ACKNOWLEDGE, chosen, by=by)


def approve_by_policy(connection: Connection, policy: Policy) -> int:
    """Let go what scheduled runs proposed of the types that need no person; how many."""
    take_turn(connection)
    acts_as(connection, "policy")
    which = "t.approval = 'automatic' and s.run_kind = 'scheduled'"
    statement = text(_APPROVE.format(which=which))
    return connection.execute(statement, {"by": "policy", "types": terms(policy)}).rowcount


def terms(policy: Policy) -> str:
    """What the policy says of its action types, as the JSON that the statements here read."""
    return json.dumps([{"action_type": name, **each.model_dump()} for name, each in policy.actions.types.items()])


def take_turn(connection: Connection) -> None:
    """One writer of many actions at a time, until the transaction ends; see ``outbox.take_turn``."""
    connection.execute(text(propose.TAKE_TURN))


def acts_as(connection: Connection, actor: str, note: str = "") -> None:
    """Until the transaction ends, changes of status are on record as made by ``actor``, with a note."""
    connection.execute(
        text("select set_config('gridgrade.actor', :actor, true), set_config('gridgrade.note', :note, true)"),
        {"actor": actor, "note": note},
    )


def listed(
    settings: Settings, *, month: RatingMonth | None = None, action_type: str | None = None, status: str | None = None
) -> Iterator[Mapping[str, Any]]:
    """The rows of the outbox with these properties, newest month first, the most urgent before the others; streamed."""
    wanted = {"rating_month": month and month.first_day, "action_type": action_type, "status": status}
    given = {name: value for name, value in wanted.items() if value is not None}
    condition = " and ".join(f"{name} = :{name}" for name in given) or "true"
    query = text(
        f"select * from ops.service_actions where {condition} "
        "order by rating_month desc, status, priority, action_type, customer_id, action_id"
    )
    with transaction(settings) as connection:
        yield from connection.execution_options(yield_per=1000).execute(query, given).mappings()


def found(settings: Settings, action_id: UUID) -> dict[str, Any]:
    """An action and, as ``events``, what became of it, oldest first; ActionError where there is none."""
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


def _change(connection: Connection, statement: str, chosen: Chosen, **parameters: Any) -> int:
    which = text(statement.format(which=chosen.condition))
    return connection.execute(which, parameters | chosen.parameters).rowcount


def _check(connection: Connection, chosen: Chosen, verb: str, why_not) -> None:
    """Of actions named by their ids, each has to be there and in a fit state; nobody changes them meanwhile."""
    query = text(
        "select s.action_id, s.action_type, s.status, s.suppressed_by, s.blocked_by, s.expires_at <= now() as is_late, "
        "s.leased_until > now() as is_leased, s.follows, f.status as followed_status "
        "from ops.service_actions as s left join ops.service_actions as f on f.action_id = s.follows "
        "where s.action_id = any(:ids) order by s.action_id for update of s"
    )
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
