"""Backfill in chronological order: a range of months, or the stale ones."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication

Progress = Callable[[int, int, str], None]
"""Receives how many months are done, how many there are, and what comes next with an estimate of what is left."""


def in_order(
    months: list[RatingMonth], rate: Callable[[RatingMonth], dict[str, Any]], progress: Progress
) -> Iterator[dict[str, Any]]:
    """Yield what ``rate`` returns for each month, in the given order."""
    pace = _Pace()
    for done, month in enumerate(months):
        progress(done, len(months), pace.describe(month, len(months) - done))
        yield pace.timed(partial(rate, month))
    progress(len(months), len(months), "done")


def rerate_stale(
    settings: Settings,
    rate: Callable[[Publication], dict[str, Any]],
    progress: Progress,
    *,
    first: RatingMonth | None = None,
    last: RatingMonth | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what ``rate`` returns for each stale month from ``first`` to ``last``, in chronological order.

    A month whose content changes makes the next one stale, which is then rated again too.
    """
    pace, done = _Pace(), 0
    while stale := _stale(settings, first, last):
        progress(done, done + len(stale), pace.describe(stale[0].rating_month, len(stale)))
        yield pace.timed(partial(rate, stale[0]))
        done += 1
    if done:
        progress(done, done, "done")


def _stale(settings: Settings, first: RatingMonth | None, last: RatingMonth | None) -> list[Publication]:
    with transaction(settings) as connection:
        return [
            publication
            for publication in publications.stale(connection)
            if (first or publication.rating_month) <= publication.rating_month <= (last or publication.rating_month)
        ]


class _Pace:
    """Estimates the time left from the months rated so far, those that were up to date left out."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def timed(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        started = time.monotonic()
        outcome = work()
        if not outcome.get("publish", {}).get("up_to_date"):
            self._seconds.append(time.monotonic() - started)
        return outcome

    def describe(self, month: RatingMonth, left: int) -> str:
        if not self._seconds:
            return str(month)
        seconds = left * sum(self._seconds) / len(self._seconds)
        return f"{month}, about {f'{seconds / 60:.0f} min' if seconds > 90 else f'{seconds:.0f} s'} left"
