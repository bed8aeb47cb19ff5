"""The outbox as a work queue: one page of it, one action with its letter, and what people do to actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pipeline.actions.channels.letters import Letter, Letters
from pipeline.actions.outbox import approval
from pipeline.actions.outbox.approval import Chosen
from pipeline.console.queries import rows
from pipeline.errors import ActionError, ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

PAGE = 50
COUNTED = 10_000
STATUSES = ("proposed", "approved", "dispatched", "acknowledged", "blocked", "suppressed", "failed")
# What a person may do to an action of a status.
VERBS = {
    "proposed": ("approve", "deny"),
    "approved": ("deny",),
    "dispatched": ("acknowledge",),
    "suppressed": ("release",),
    "failed": ("release", "deny"),
}


@dataclass(frozen=True)
class Wanted:
    """What to show of the outbox: one status, and None for any type, month or customer."""

    status: str = "proposed"
    action_type: str | None = None
    month: RatingMonth | None = None
    customer_id: str | None = None
    is_overdue: bool = False


@dataclass(frozen=True)
class Place:
    """A row's place in the order of the queue: pages go on after it."""

    priority: int
    due: str
    action_id: UUID

    @classmethod
    def parse(cls, text: str) -> "Place":
        """What ``str`` wrote; ActionError for anything else."""
        try:
            priority, due, action_id = text.split("|")
            return cls(int(priority), due, UUID(action_id))
        except ValueError:
            raise ActionError(f"{text[:80]!r} is no place in the queue: start again at its first page") from None

    def __str__(self) -> str:
        return f"{self.priority}|{self.due}|{self.action_id}"


def page(settings: Settings, wanted: Wanted, after: Place | None = None) -> tuple[list[dict[str, Any]], Place | None]:
    """The next PAGE actions, the most urgent first, and the place to go on after; None where these are the last."""
    found = rows(
        settings,
        "action_queue",
        status=wanted.status,
        action_type=wanted.action_type,
        month=wanted.month and wanted.month.first_day,
        customer_id=wanted.customer_id,
        is_overdue=wanted.is_overdue,
        after_priority=after and after.priority,
        after_due=after and after.due,
        after_id=after and after.action_id,
        most=PAGE + 1,
    )
    shown = found[:PAGE]
    last = shown[-1] if len(found) > PAGE else None
    return shown, Place(last["order_priority"], last["order_due"], last["action_id"]) if last else None


def counts(settings: Settings, month: RatingMonth | None = None, action_type: str | None = None) -> dict[str, int]:
    """How many actions each of STATUSES has; COUNTED + 1 stands for more than COUNTED."""
    asked = {"statuses": list(STATUSES), "action_type": action_type, "most": COUNTED + 1}
    if month:
        found = rows(settings, "action_counts_of_month", month=month.first_day, **asked)
    else:
        found = rows(settings, "action_counts", **asked)
    return {row["status"]: row["actions"] for row in found}


def months(settings: Settings) -> list[RatingMonth]:
    """Those that have actions, newest first."""
    return [RatingMonth.of(row["rating_month"]) for row in rows(settings, "action_months")]


def action(settings: Settings, action_id: UUID) -> dict[str, Any]:
    """An action whole, with its ``events``; ActionError where there is none."""
    return approval.found(settings, action_id)


def letter(policy: Policy, found: dict[str, Any], language: str | None) -> Letter | str:
    """The action in words, or why it cannot be put into any."""
    try:
        return Letters(policy).write(
            found["action_type"],
            action_id=str(found["action_id"]),
            customer_id=found["customer_id"],
            month=RatingMonth.of(found["rating_month"]),
            reason=found["reason"],
            payload=found["payload"],
            due_at=found["due_at"],
            language="zh" if language == "zh" else "en" if language else None,
        )
    except (ActionError, ConfigError) as error:
        return str(error)


def change(
    settings: Settings,
    policy: Policy,
    verb: str,
    ids: Sequence[UUID],
    by: str,
    *,
    reason: str = "",
) -> int:
    """Approve, deny, release or acknowledge these actions, all or none; how many. ``settings`` may write.

    ActionError when one of them cannot be, when none is chosen, or a denial gives no reason.
    """
    return _changed(settings, policy, verb, Chosen(ids=ids), by, reason) if ids else _nothing(verb)


def change_all(
    settings: Settings, policy: Policy, verb: str, action_type: str, month: RatingMonth, by: str, *, reason: str = ""
) -> int:
    """The same for all actions of a type and month that are in a fit state."""
    return _changed(settings, policy, verb, Chosen(action_type=action_type, month=month), by, reason)


def _changed(settings: Settings, policy: Policy, verb: str, chosen: Chosen, by: str, reason: str) -> int:
    match verb:
        case "approve":
            return approval.approve(settings, policy, chosen, by)
        case "deny" if not reason.strip():
            raise ActionError("a denial needs a reason, which goes on record: nothing was changed")
        case "deny":
            return approval.deny(settings, chosen, by, reason.strip())
        case "release":
            return approval.release(settings, policy, chosen, by)
        case "acknowledge":
            return approval.acknowledge(settings, chosen, by)
    raise ActionError(f"{verb[:40]!r} is nothing that can be done to an action")


def _nothing(verb: str) -> int:
    raise ActionError(f"no action was chosen to {verb}: tick some first")
