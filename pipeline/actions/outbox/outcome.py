"""What came of handing an action to a channel. Reasons are words for the table: no secret, no address, no reply."""

from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline.actions.outbox.delivery import Claimed


@dataclass(frozen=True)
class Outcome:
    """``delivered``: the channel took it. ``unreachable``: it knows no way to the recipient. ``refused``: it will never
    take it. ``not_now``: it may have taken it, or may later; ``retry_after`` seconds if it said so."""

    kind: Literal["delivered", "unreachable", "refused", "not_now"]
    reason: str = ""
    retry_after: float | None = None


DELIVERED = Outcome("delivered")


class Channel(Protocol):
    def send(self, action: Claimed) -> Outcome:
        """Hand an action over. The same action again goes under the same key."""

    def close(self) -> None: ...
