"""Who sends which action when, and what came of it: leases, attempts, rests. One short transaction a step.

An attempt is on record before anything is sent, and holds the action by a lease. A dispatcher that dies leaves the
lease behind; once it has run out, another sends the action again, under the same key. So nothing is lost, and where it
cannot be known whether a message arrived, the key makes the second one harmless.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.actions.outbox.approval import TYPES, acts_as, take_turn, terms
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.actions import ActionChannel

_NOT_LEASED = "(s.leased_until is null or s.leased_until <= now())"
_FOLLOWED_IS_DONE = """(
    s.follows is null
    or exists (
        select
        from ops.service_actions as f
        where f.action_id = s.follows and f.status in ('dispatched', 'acknowledged')
    )
)"""
# An attempt takes several round trips, each of which may last as long as the timeout.
_ROUND_TRIPS = 10
# A dispatcher waits so long for its turn; a channel that rests for longer is left to the next run.
_PATIENCE_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0

_EXPIRE_PROPOSED = """
update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'expiry', updated_at = now()
where s.status = 'proposed' and s.expires_at <= now()
"""

_EXPIRE_APPROVED = f"""
update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'it expired before it was sent'),
    next_attempt_at = null,
    updated_at = now()
from {TYPES}
where t.action_type = s.action_type
    and s.status = 'approved'
    and {_NOT_LEASED}
    and least(s.expires_at, s.approved_at + make_interval(secs => t.expires_hours * 3600)) <= now()
"""

_SUPPRESS_FOLLOWING = """
update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'followed', next_attempt_at = null, updated_at = now()
from ops.service_actions as f
where f.action_id = s.follows and s.status in ('proposed', 'approved') and f.status in ('suppressed', 'failed')
"""

_ROUTE = f"""
update ops.service_actions as s
set channel = t.channels ->> 0, attempts = 0, next_attempt_at = null, leased_until = null, updated_at = now()
from {TYPES}
where t.action_type = s.action_type
    and s.status = 'approved'
    and {_NOT_LEASED}
    and (s.channel is null or not t.channels ? s.channel)
"""

_BURY = f"""
update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'its last attempt broke off, and may have arrived'),
    next_attempt_at = null,
    leased_until = null,
    updated_at = now()
where s.status = 'approved' and s.channel = :channel and s.attempts >= :attempts and {_NOT_LEASED}
"""

_QUEUE = f"""
update ops.service_actions as s
set status = 'dispatched', attempts = 1, dispatched_at = now(), updated_at = now()
where s.status = 'approved' and s.channel = 'queue' and {_FOLLOWED_IS_DONE}
"""

_TURN = """
select extract(epoch from greatest(next_free_at - clock_timestamp(), interval '0'))
from ops.action_channels
where channel = :channel
for update
"""

_CLAIM = f"""
with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    where s.status = 'approved'
        and s.channel = :channel
        and s.action_type = any(:types)
        and s.attempts < :attempts
        and {_NOT_LEASED}
        and (s.next_attempt_at is null or s.next_attempt_at <= now())
        and coalesce(least(
            s.expires_at,
            s.approved_at
            + make_interval(secs => cast(cast(:expires_hours as jsonb) ->> s.action_type as float8) * 3600)
        ) > now(), true)
        and {_FOLLOWED_IS_DONE}
    order by s.priority, s.approved_at, s.action_id
    limit 1
    for update of s skip locked
)

update ops.service_actions as s
set attempts = s.attempts + 1,
    leased_until = clock_timestamp() + make_interval(secs => :lease),
    updated_at = now()
from chosen as c
where s.action_id = c.action_id
returning s.action_id, s.action_type, s.customer_id, s.rating_month, s.reason, s.payload, s.due_at, s.attempts
"""

_PACE = """
update ops.action_channels
set next_free_at = greatest(next_free_at, clock_timestamp()) + make_interval(secs => 60.0 / :per_minute)
where channel = :channel
"""

_REST = """
update ops.action_channels
set next_free_at = greatest(next_free_at, clock_timestamp() + make_interval(secs => :seconds))
where channel = :channel
"""

# Also where the lease has run out and somebody else has given the action up: it did arrive.
_DELIVERED = """
update ops.service_actions as s
set status = 'dispatched', dispatched_at = now(), leased_until = null, next_attempt_at = null, last_error = null,
    updated_at = now()
where s.action_id = :action_id and s.status in ('approved', 'failed')
"""

# Only by the dispatcher whose attempt was the last; one that was taken for dead has nothing to say.
_MINE = "s.action_id = :action_id and s.status = 'approved' and s.channel = :channel and s.attempts = :attempts"

_FAILED = f"""
update ops.service_actions as s
set status = 'failed', last_error = :error, leased_until = null, next_attempt_at = null, updated_at = now()
where {_MINE}
"""

_HANDED_ON = f"""
update ops.service_actions as s
set channel = :following, attempts = 0, last_error = :error, leased_until = null, next_attempt_at = null,
    updated_at = now()
where {_MINE}
"""

_POSTPONED = f"""
update ops.service_actions as s
set last_error = :error, leased_until = null, next_attempt_at = now() + make_interval(secs => :seconds),
    updated_at = now()
where {_MINE}
"""

_WAITING = """
select
    s.channel,
    s.action_type,
    count(*) as actions,
    min(greatest(s.next_attempt_at, s.leased_until)) as next_at,
    max(s.last_error) as last_error
from ops.service_actions as s
where s.status = 'approved'
group by s.channel, s.action_type
order by s.channel, s.action_type
"""


@dataclass(frozen=True)
class Claimed:
    """An action whose attempt number ``attempts`` is this dispatcher's, after ``wait_seconds``."""

    action_id: UUID
    action_type: str
    customer_id: str
    month: RatingMonth
    reason: str
    payload: Mapping[str, Any]
    due_at: datetime | None
    channel: str
    attempts: int
    wait_seconds: float


@dataclass(frozen=True)
class Resting:
    """The channel is not to be used for so long."""

    seconds: float


def settle(connection: Connection, policy: Policy) -> dict[str, int]:
    """Before anything is sent: end what expired or follows what never goes out; heed what the policy says by now."""
    parameters = {"types": terms(policy)}
    take_turn(connection)
    acts_as(connection, "dispatcher")
    lapsed = _run(connection, _EXPIRE_PROPOSED)
    failed = _run(connection, _EXPIRE_APPROVED, parameters)
    for channel, use in policy.actions.channels:
        failed += _run(connection, _BURY, {"channel": channel, "attempts": use.attempts})
    while following := _run(connection, _SUPPRESS_FOLLOWING):
        lapsed += following
    _run(connection, _ROUTE, parameters)
    return {"suppressed": lapsed, "failed": failed}


def to_queue(connection: Connection) -> int:
    """Show in the work queue what is to be worked there; how many."""
    take_turn(connection)
    acts_as(connection, "dispatcher")
    return _run(connection, _QUEUE)


def claim(
    connection: Connection, channel: str, use: ActionChannel, types: Mapping[str, float | None]
) -> Claimed | Resting | None:
    """The next action of the channel, of these types (each with the hours after which it expires); None: there is none.

    The attempt is counted and the channel's turn taken before it returns.
    """
    wait = float(connection.execute(text(_TURN), {"channel": channel}).scalar_one())
    if wait > max(_PATIENCE_SECONDS, 60 / use.per_minute):
        return Resting(wait)
    parameters = {
        "channel": channel,
        "types": list(types),
        "expires_hours": json.dumps(dict(types)),
        "attempts": use.attempts,
        "lease": wait + _ROUND_TRIPS * use.timeout_seconds,
    }
    row = connection.execute(text(_CLAIM), parameters).mappings().one_or_none()
    if row is None:
        return None
    connection.execute(text(_PACE), {"channel": channel, "per_minute": use.per_minute})
    found = dict(row)
    month = RatingMonth.of(found.pop("rating_month"))
    return Claimed(**found, month=month, channel=channel, wait_seconds=wait)


def delivered(connection: Connection, claimed: Claimed) -> None:
    acts_as(connection, "dispatcher")
    _run(connection, _DELIVERED, {"action_id": claimed.action_id})


def refused(connection: Connection, claimed: Claimed, error: str, channels: Sequence[str]) -> str | None:
    """The channel will never deliver it: the next of ``channels`` takes over, and is returned; None: it has failed."""
    acts_as(connection, "dispatcher")
    place = channels.index(claimed.channel) if claimed.channel in channels else len(channels)
    following = next(iter(channels[place + 1 :]), None)
    statement = _HANDED_ON if following else _FAILED
    _run(connection, statement, _attempt(claimed, error) | {"following": following})
    return following


def postponed(
    connection: Connection, claimed: Claimed, error: str, use: ActionChannel, retry_after: float | None
) -> bool:
    """It may work later; False: its attempts are used up, and it has failed."""
    acts_as(connection, "dispatcher")
    parameters = _attempt(claimed, error)
    if claimed.attempts >= use.attempts:
        _run(connection, _FAILED, parameters)
        return False
    seconds = max(backoff_seconds(claimed.action_id, claimed.attempts, use), bounded(retry_after))
    _run(connection, _POSTPONED, parameters | {"seconds": seconds})
    return True


def rest(connection: Connection, channel: str, seconds: float) -> None:
    """Nobody uses the channel for so long."""
    connection.execute(text(_REST), {"channel": channel, "seconds": seconds})


def waiting(connection: Connection) -> list[dict[str, Any]]:
    """What is approved and not sent yet: channel, action_type, actions, next_at, last_error."""
    return [dict(row) for row in connection.execute(text(_WAITING)).mappings()]


def backoff_seconds(action_id: UUID, attempts: int, use: ActionChannel) -> float:
    """How long to wait after so many attempts: twice as long each time, and up to half of it less, by the action's id,
    so that what failed together does not come back together."""
    longest = min(use.max_backoff_seconds, use.backoff_seconds * 2.0 ** min(attempts - 1, 64))
    drawn = hashlib.sha256(f"{action_id} {attempts}".encode()).digest()
    return longest * (0.5 + 0.5 * int.from_bytes(drawn[:8]) / 2**64)


def bounded(retry_after: float | None) -> float:
    """What a receiver asked for, as far as one can go along with it."""
    return min(max(retry_after or 0.0, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _attempt(claimed: Claimed, error: str) -> dict[str, Any]:
    return {
        "action_id": claimed.action_id,
        "channel": claimed.channel,
        "attempts": claimed.attempts,
        "error": f"{claimed.channel}: {error}",
    }


def _run(connection: Connection, statement: str, parameters: dict[str, Any] | None = None) -> int:
    return connection.execute(text(statement), parameters or {}).rowcount
