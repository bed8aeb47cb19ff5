"""Delivery of actions: leases, attempts, outcomes, rests of channels.

What may concern any number of actions is done in transactions of BATCH; every other function is one short transaction.

An attempt is on record before anything is sent, and holds the action by a lease. A dispatcher that dies leaves the
lease behind; once it has run out, another sends the action again, under the same key. So nothing is lost, and where it
cannot be known whether a message arrived, the key makes the second one harmless.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.actions.outbox import approval
from pipeline.actions.outbox.approval import acts_as, take_lock, terms
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.actions import ActionChannel
from pipeline.warehouse.statements import statement

# As many actions as one transaction changes: a second's work.
BATCH = 5_000
_NOT_LEASED = "(s.leased_until is null or s.leased_until <= now())"
# An attempt takes several round trips, each of which may last as long as the timeout.
_ROUND_TRIPS = 10
# A dispatcher waits at most this long for its slot; a channel that rests for longer is left to the next run.
_PATIENCE_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0


# Only the dispatcher of the last attempt may record its outcome; one whose lease was taken over may not.
_MINE = "s.action_id = :action_id and s.status = 'approved' and s.channel = :channel and s.attempts = :attempts"


@dataclass(frozen=True)
class Claimed:
    """An action claimed by this dispatcher for attempt number ``attempts``, to be sent after ``wait_seconds``."""

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
    """The channel rests for this many seconds."""

    seconds: float


def in_batches(connection: Connection, actor: str, change: Callable[[int], int]) -> int:
    """Change any number of actions in transactions of at most ``BATCH``; returns how many.

    ``change`` is given that number, and returns how many it changed. One that is killed leaves the batches before it
    done and the others as they were.
    """
    changed = 0
    while True:
        with connection.begin():
            take_lock(connection)
            acts_as(connection, actor)
            found = change(BATCH)
        changed += found
        if found < BATCH:
            return changed


def approve_by_policy(connection: Connection, policy: Policy) -> int:
    """Approve what the policy lets go by itself; returns how many actions."""
    return in_batches(connection, "policy", partial(approval.approve_by_policy, connection, policy))


def settle(connection: Connection, policy: Policy) -> dict[str, int]:
    """Before sending: end actions that expired or follow one never sent, and apply the current policy."""
    types = {"types": statement("outbox/policy_types"), "not_leased": _NOT_LEASED}

    def each(name: str, parameters: dict[str, Any] | None = None, **fragments: str) -> int:
        given = parameters or {}
        change = lambda most: _run(connection, name, given | {"most": most}, **fragments)  # noqa: E731
        return in_batches(connection, "dispatcher", change)

    policy_types = {"types": terms(policy)}
    lapsed = each("expire_proposed")
    failed = each("expire_approved", policy_types, **types)
    for channel, use in policy.actions.channels:
        limits = {"channel": channel, "attempts": use.attempts}
        failed += each("fail_abandoned", limits, not_leased=_NOT_LEASED)
    while following := each("suppress_following"):
        lapsed += following
    each("route", policy_types, **types)
    return {"suppressed": lapsed, "failed": failed}


def to_queue(connection: Connection) -> int:
    """Move the approved actions of the work queue into it; returns how many."""
    done = statement("outbox/followed_is_done")
    return in_batches(
        connection,
        "dispatcher",
        lambda most: _run(connection, "to_work_queue", {"most": most}, followed_is_done=done),
    )


def claim(
    connection: Connection, channel: str, use: ActionChannel, types: Mapping[str, float | None]
) -> Claimed | Resting | None:
    """The next action of the channel, of these types (each with the hours after which it expires); None: there is none.

    The attempt is counted and the channel's slot reserved before it returns.
    """
    wait = float(connection.execute(text(statement("outbox/channel_wait")), {"channel": channel}).scalar_one())
    if wait > max(_PATIENCE_SECONDS, 60 / use.per_minute):
        return Resting(wait)
    parameters = {
        "channel": channel,
        "types": list(types),
        "expires_hours": json.dumps(dict(types)),
        "attempts": use.attempts,
        "lease": wait + _ROUND_TRIPS * use.timeout_seconds,
    }
    query = statement("outbox/claim", not_leased=_NOT_LEASED, followed_is_done=statement("outbox/followed_is_done"))
    row = connection.execute(text(query), parameters).mappings().one_or_none()
    if row is None:
        return None
    _run(connection, "pace", {"channel": channel, "per_minute": use.per_minute})
    found = dict(row)
    month = RatingMonth.of(found.pop("rating_month"))
    return Claimed(**found, month=month, channel=channel, wait_seconds=wait)


def delivered(connection: Connection, claimed: Claimed) -> None:
    acts_as(connection, "dispatcher")
    _run(connection, "delivered", {"action_id": claimed.action_id})


def refused(connection: Connection, claimed: Claimed, error: str, channels: Sequence[str]) -> str | None:
    """The channel cannot deliver the action: move it to the next of ``channels``, which is returned. None where there
    is no next channel; the action has then failed."""
    acts_as(connection, "dispatcher")
    place = channels.index(claimed.channel) if claimed.channel in channels else len(channels)
    following = next(iter(channels[place + 1 :]), None)
    _run_held(connection, "hand_on" if following else "fail", _attempt(claimed, error) | {"following": following})
    return following


def postponed(
    connection: Connection, claimed: Claimed, error: str, use: ActionChannel, retry_after: float | None
) -> bool:
    """Plan another attempt; False where its attempts are used up and it has failed."""
    acts_as(connection, "dispatcher")
    parameters = _attempt(claimed, error)
    if claimed.attempts >= use.attempts:
        _run_held(connection, "fail", parameters)
        return False
    seconds = max(backoff_seconds(claimed.action_id, claimed.attempts, use), bounded(retry_after))
    _run_held(connection, "postpone", parameters | {"seconds": seconds})
    return True


def rest(connection: Connection, channel: str, seconds: float) -> None:
    """Let the channel rest for this many seconds."""
    _run(connection, "rest", {"channel": channel, "seconds": seconds})


def waiting(connection: Connection) -> list[dict[str, Any]]:
    """Counts of approved actions not sent yet: channel, action_type, actions, next_at, last_error."""
    return [dict(row) for row in connection.execute(text(statement("outbox/waiting"))).mappings()]


def backoff_seconds(action_id: UUID, attempts: int, use: ActionChannel) -> float:
    """Seconds to wait after this many attempts: doubled each time, less up to half by the action's id, so that actions
    that failed together are not retried together."""
    longest = min(use.max_backoff_seconds, use.backoff_seconds * 2.0 ** min(attempts - 1, 64))
    drawn = hashlib.sha256(f"{action_id} {attempts}".encode()).digest()
    return longest * (0.5 + 0.5 * int.from_bytes(drawn[:8]) / 2**64)


def bounded(retry_after: float | None) -> float:
    """The receiver's ``Retry-After`` in seconds, limited to the bounds that are accepted."""
    return min(max(retry_after or 0.0, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _attempt(claimed: Claimed, error: str) -> dict[str, Any]:
    return {
        "action_id": claimed.action_id,
        "channel": claimed.channel,
        "attempts": claimed.attempts,
        "error": f"{claimed.channel}: {error}",
    }


def _run_held(connection: Connection, name: str, parameters: dict[str, Any]) -> int:
    """Change an action only if its last attempt is this dispatcher's."""
    return _run(connection, name, parameters, held=statement("outbox/held"))


def _run(connection: Connection, name: str, parameters: dict[str, Any] | None = None, **fragments: str) -> int:
    return connection.execute(text(statement(f"outbox/{name}", **fragments)), parameters or {}).rowcount
