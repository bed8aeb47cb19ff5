"""Send approved actions: to the work queue, the webhook and by mail.

Any number of dispatchers may run at once. A run ends when nothing is left that can be sent now. Actions that wait for
a person, a setting or a retry stay, and the summary says why.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from sqlalchemy import Connection, text

from pipeline.actions.channels import configuration
from pipeline.actions.channels.contacts import Contacts
from pipeline.actions.channels.letters import Letters
from pipeline.actions.channels.mail import MailChannel
from pipeline.actions.channels.webhook import WebhookChannel
from pipeline.actions.outbox import delivery
from pipeline.actions.outbox.delivery import Claimed, Resting
from pipeline.actions.outbox.outcome import Channel, Outcome
from pipeline.errors import ConfigError
from pipeline.policy import Policy
from pipeline.policy.actions import ActionChannel
from pipeline.settings import Settings
from pipeline.warehouse.connection import session

SENDING = ("webhook", "email")


@contextmanager
def open_channels(settings: Settings, policy: Policy) -> Iterator[tuple[dict[str, Channel], dict[str, str]]]:
    """Open the channels: those that can be used by name, and the reasons why the others cannot."""
    usable: dict[str, Channel] = {}
    reasons: dict[str, str] = {}
    letters, use = Letters(policy), policy.actions.channels
    with ExitStack() as stack:
        contacts = stack.enter_context(Contacts(settings, policy.timezone))
        for name in SENDING:
            try:
                reason = configuration.missing(settings, name) or (contacts.missing() if name == "email" else None)
                if reason:
                    reasons[name] = reason
                elif name == "webhook":
                    usable[name] = WebhookChannel(
                        configuration.usable_webhook(settings, use.webhook), use.webhook, letters
                    )
                else:
                    server = configuration.usable_mail_server(settings, use.email)
                    usable[name] = MailChannel(server, use.email, policy, letters, contacts)
            except ConfigError as error:
                reasons[name] = str(error)
        for channel in usable.values():
            stack.enter_context(closing(channel))
        yield usable, reasons


def dispatch(settings: Settings, policy: Policy, *, opened: Callable[..., Any] = open_channels) -> dict[str, Any]:
    """Send all approved actions that can be sent now, of any month; returns JSON-safe counts of the outcomes.

    ``approved``: let go by the policy. ``dispatched``: by channel. ``postponed``: attempts that will be repeated.
    ``failed`` and ``suppressed``: given up. ``to_approve``: waiting for a person. ``waiting``: what is approved and not
    sent, by channel and type, and ``because`` of what.
    """
    with session(settings) as connection, opened(settings, policy) as (usable, reasons):
        letters = Letters(policy)
        written = [name for name, each in policy.actions.types.items() if each.channels != ("queue",)]
        faults = {name: fault for name in written if (fault := letters.fault(name))}
        counts: Counter[str] = Counter()
        counts["approved"] = delivery.approve_by_policy(connection, policy)
        counts += Counter(delivery.settle(connection, policy))
        sender = _Sender(connection, policy, faults, counts, reasons)
        while sender.serve_all(usable):
            pass
        with connection.begin():
            waiting = [_describe(row, policy, faults, reasons) for row in delivery.waiting(connection)]
            proposed = text("select count(*) from ops.service_actions where status = 'proposed'")
            to_approve = connection.execute(proposed).scalar_one()
    names = ("approved", "postponed", "failed", "suppressed")
    return {
        **{name: counts[name] for name in names},
        "dispatched": {name: counts[name] for name in ("queue", *SENDING)},
        "to_approve": to_approve,
        "waiting": waiting,
    }


class _Sender:
    """One run of a dispatcher. ``reasons`` collects why a channel is not used."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        faults: Mapping[str, str],
        counts: Counter[str],
        reasons: dict[str, str],
    ):
        self._connection, self._policy = connection, policy
        self._counts, self._reasons = counts, reasons
        types = policy.actions.types
        self._types = {name: each.expires_hours for name, each in types.items() if name not in faults}

    def serve_all(self, usable: Mapping[str, Channel]) -> int:
        """Serve every channel once; returns how many actions changed, in which case another round is needed."""
        moved = delivery.to_queue(self._connection)
        self._counts["queue"] += moved
        return moved + sum(self._serve(name, channel) for name, channel in usable.items())

    def _serve(self, name: str, channel: Channel) -> int:
        """Send the channel's actions until none is left or it has to rest; returns how many actions changed."""
        use: ActionChannel = getattr(self._policy.actions.channels, name)
        moved = in_a_row = 0
        while True:
            with self._connection.begin():
                claimed = delivery.claim(self._connection, name, use, self._types)
            if claimed is None:
                return moved
            if isinstance(claimed, Resting):
                self._reasons.setdefault(name, f"the channel rests for {claimed.seconds:.0f} s")
                return moved
            time.sleep(claimed.wait_seconds)
            outcome = channel.send(claimed)
            with self._connection.begin():
                moved += self._record(claimed, outcome, use)
                in_a_row = in_a_row + 1 if outcome.kind in ("refused", "not_now") else 0
                asked = delivery.bounded(outcome.retry_after)
                if asked or in_a_row >= use.rest_after_failures:
                    seconds = asked or use.backoff_seconds
                    delivery.rest(self._connection, name, seconds)
                    self._reasons[name] = f"the channel rests for {seconds:.0f} s: {outcome.reason}"
                    in_a_row = 0

    def _record(self, claimed: Claimed, outcome: Outcome, use: ActionChannel) -> int:
        """Record the outcome of an attempt; 1 if the action changed, else 0."""
        if outcome.kind == "delivered":
            delivery.delivered(self._connection, claimed)
            self._counts[claimed.channel] += 1
            return 1
        if outcome.kind == "not_now":
            is_postponed = delivery.postponed(self._connection, claimed, outcome.reason, use, outcome.retry_after)
            self._counts["postponed" if is_postponed else "failed"] += 1
            return 0
        channels_of_type = self._policy.actions.types[claimed.action_type].channels
        if delivery.refused(self._connection, claimed, outcome.reason, channels_of_type):
            return 1
        self._counts["failed"] += 1
        return 0


def _describe(
    row: dict[str, Any], policy: Policy, faults: Mapping[str, str], reasons: Mapping[str, str]
) -> dict[str, Any]:
    """A row of delivery.waiting with the reason in words."""
    channel, action_type = row["channel"], row["action_type"]
    if action_type not in policy.actions.types:
        because = f"the policy's actions.types has no {action_type}"
    elif action_type in faults and channel != "queue":
        because = faults[action_type]
    elif channel in reasons:
        because = reasons[channel]
    elif row["next_at"]:
        because = (
            f"the next attempt is at {row['next_at']:%Y-%m-%d %H:%M %Z}: {row['last_error'] or 'it is being sent'}"
        )
    else:
        because = "what it follows has not been sent yet"
    return {"channel": channel, "action_type": action_type, "actions": row["actions"], "because": because}
