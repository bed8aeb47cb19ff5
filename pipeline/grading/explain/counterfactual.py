"""The least change of what a customer can act on that gives the next grade at the next month's rating.

The next grade is the one above what is published, and the change has to give it by the rules too: the probability stays
below its bound less the promotion's buffer. A rule that bars it whatever the score is named.

One index at a time if one is enough: of those the one that goes the smallest part of its way to what is attainable.
Else several, the most telling first, each as far as it goes and the last only as far as needed. Indices are taken to
move alone, though in life paying on time moves several.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import pandas as pd
from scipy.special import logit

from pipeline.grading.explain.standing import Rule, Standing
from pipeline.policy.indices import Index
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.scorecard.bands import band

_RESOLUTION = 100  # values are proposed to the hundredth


@dataclass(frozen=True)
class Move:
    """An index brought from ``value`` to ``needed``, and the points that gives."""

    index: str
    value: float
    needed: float
    points: float


@dataclass(frozen=True)
class NextGrade:
    """The grade above the published one, how many points short (0: none), and the moves that reach it: all there are
    if none do.

    ``is_enough``: the score is, after the moves. ``withheld_by``: the rules that bar the grade all the same at the next
    month's rating. ``is_reached``: that rating gives the grade.
    """

    grade: str
    points_needed: float
    moves: tuple[Move, ...]
    is_enough: bool
    withheld_by: tuple[Rule, ...]

    @property
    def is_reached(self) -> bool:
        return self.is_enough and not self.withheld_by


def next_grade(
    model: CreditModel | ExpertScorecard, standing: Standing, customer: pd.DataFrame, indices: Mapping[str, Index]
) -> NextGrade | None:
    """``customer`` is one row of the model's columns; None when the customer has the best grade already.

    An index without a value, without an ``attainable`` one, or beyond it is left alone, and so is one whose improvement
    the model does not reward.
    """
    grade = standing.next_grade
    if grade is None:
        return None
    search = _Search(model, standing.bound, customer, indices)
    short = float(model.scorecard.score(logit(standing.bound)) - model.score(customer)[0])
    moves = {} if search.reaches({}) else search.single() or search.combined()
    points = {name: search.gain({name: needed}) for name, needed in moves.items()}
    return NextGrade(
        grade=grade,
        points_needed=max(0.0, short),
        moves=tuple(Move(name, search.value(name), needed, points[name]) for name, needed in moves.items()),
        is_enough=search.reaches(moves),
        withheld_by=standing.withholding(),
    )


def moved(customer: pd.DataFrame, needed: Mapping[str, float], indices: Mapping[str, Index]) -> pd.DataFrame:
    """The customer with these values of indices, and the bands that go with them."""
    changed: dict[str, Any] = {}
    for name, value in needed.items():
        index = indices[name]
        changed |= {name: value, f"{name}_band": band([value], index.bands, index.direction)[0]}
    return customer.assign(**changed)


class _Search:
    def __init__(self, model, bound: float, customer: pd.DataFrame, indices: Mapping[str, Index]):
        self._model, self._bound, self._customer, self._indices = model, bound, customer, indices
        self._score = float(model.score(customer)[0])
        best = {name: target for name, index in indices.items() if (target := self._target(name, index)) is not None}
        gains = {name: self.gain({name: value}) for name, value in best.items()}
        in_order = sorted(gains, key=lambda name: gains[name], reverse=True)
        self._best = {name: best[name] for name in in_order if gains[name] > 0}

    def single(self) -> dict[str, float]:
        """One move that reaches the grade, the one of the smallest part of its way; empty without any."""
        found = {
            name: self._least({}, name) for name, attainable in self._best.items() if self.reaches({name: attainable})
        }
        if not found:
            return {}
        nearest = min(found, key=lambda name: self._part(name, found[name]))
        return {nearest: found[nearest]}

    def combined(self) -> dict[str, float]:
        """Moves that reach it together, the last no further than needed; all of them where that is not enough."""
        taken: dict[str, float] = {}
        for name, attainable in self._best.items():
            if self.reaches(taken | {name: attainable}):
                return taken | {name: self._least(taken, name)}
            taken[name] = attainable
        return taken

    def reaches(self, needed: Mapping[str, float]) -> bool:
        customer = moved(self._customer, needed, self._indices)
        return float(self._model.default_probability(customer)[0]) < self._bound

    def gain(self, needed: Mapping[str, float]) -> float:
        return float(self._model.score(moved(self._customer, needed, self._indices))[0]) - self._score

    def value(self, name: str) -> float:
        return float(self._customer[name].iloc[0])

    def _target(self, name: str, index: Index) -> float | None:
        """The value that the index can be brought to; None where there is none, or no way to it."""
        if index.attainable is None or name not in self._customer:
            return None
        sign = 1 if index.direction == "+" else -1
        is_better = sign * (index.attainable - self.value(name)) > 0  # never true of a missing value
        return index.attainable if is_better else None

    def _part(self, name: str, needed: float) -> float:
        return (needed - self.value(name)) / (self._best[name] - self.value(name))

    def _least(self, taken: Mapping[str, float], name: str) -> float:
        """The first value, to the hundredth, on the way to what is attainable that reaches the grade with ``taken``."""
        value, attainable = self.value(name), self._best[name]
        up = attainable > value
        start = floor(value * _RESOLUTION) if up else ceil(value * _RESOLUTION)

        def at(step: int) -> float:
            proposed = (start + (step if up else -step)) / _RESOLUTION
            return min(proposed, attainable) if up else max(proposed, attainable)

        low, high = 0, ceil(abs(attainable - value) * _RESOLUTION) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.reaches({**taken, name: at(middle)}) else (middle, high)
        return at(high)
