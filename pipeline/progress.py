"""How far a long run is, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass, field

Advance = Callable[[float, int, str], None]  # steps done, steps in all, what is under way


def unseen(done: float, total: int, what: str) -> None:
    """An ``Advance`` that shows nothing."""


@dataclass
class Progress:
    """A run of so many ``steps``. One that takes as long as several counts as several, and says which share is done."""

    advance: Advance
    steps: int
    _done: int = field(default=0, init=False)
    _counts_as: int = field(default=0, init=False)

    def step(self, what: str, counts_as: int = 1) -> None:
        """The next step begins; the one before is done."""
        self._done += self._counts_as
        self._counts_as = counts_as
        self.part(what, 0.0)

    def part(self, what: str, share: float) -> None:
        """Within the step that has begun: ``share`` of it is done."""
        self.advance(self._done + share * self._counts_as, self.steps, what)

    def end(self, what: str) -> None:
        """All steps are done."""
        self.advance(self.steps, self.steps, what)
