"""The outcome of an attempt. A reason is stored, so it holds no secret, no address and no reply of the receiver."""

from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline.actions.outbox.delivery import Claimed


@dataclass(frozen=True)
class Outcome:
    """``delivered``: accepted. ``unreachable``: the channel has no address of the recipient. ``refused``: never to be
    accepted. ``not_now``: unknown, or to be retried; after ``retry_after`` seconds where the receiver asked for it."""

    kind: Literal["delivered", "unreachable", "refused", "not_now"]
    reason: str = ""
    retry_after: float | None = None


DELIVERED = Outcome("delivered")


class Channel(Protocol):
    def send(self, action: Claimed) -> Outcome:
        """Send an action. Every attempt uses the same idempotency key."""

    def close(self) -> None: ...
