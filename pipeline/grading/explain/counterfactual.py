"""The least change of what a customer can act on that the model answers with the next grade.

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

from pipeline.policy.indices import Index
from pipeline.scorecard import CreditModel, ExpertScorecard, GradeScale
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
    """The grade above the model's, how many points short, and the moves that reach it: all there are if none do."""

    grade: str
    points_needed: float
    moves: tuple[Move, ...]
    is_reached: bool


def next_grade(
    model: CreditModel | ExpertScorecard, scale: GradeScale, customer: pd.DataFrame, indices: Mapping[str, Index]
) -> NextGrade | None:
    """``customer`` is one row of the model's columns; None when the model gives it the best grade already.

    An index without a value, without an ``attainable`` one, or beyond it is left alone, and so is one whose improvement
    the model does not reward.
    """
    search = _Search(model, scale, customer, indices)
    if search.place == 0:
        return None
    cutoff = scale.cutoffs[search.place - 1]
    short = float(model.scorecard.score(logit(cutoff)) - model.score(customer)[0])
    moves = search.single() or search.combined()
    points = {name: search.gain({name: needed}) for name, needed in moves.items()}
    return NextGrade(
        grade=scale.names[search.place - 1],
        points_needed=short,
        moves=tuple(Move(name, search.value(name), needed, points[name]) for name, needed in moves.items()),
        is_reached=search.reaches(moves),
    )


def moved(customer: pd.DataFrame, needed: Mapping[str, float], indices: Mapping[str, Index]) -> pd.DataFrame:
    """The customer with these values of indices, and the bands that go with them."""
    changed: dict[str, Any] = {}
    for name, value in needed.items():
        index = indices[name]
        changed |= {name: value, f"{name}_band": band([value], index.bands, index.direction)[0]}
    return customer.assign(**changed)


class _Search:
    def __init__(self, model, scale: GradeScale, customer: pd.DataFrame, indices: Mapping[str, Index]):
        self._model, self._scale, self._customer, self._indices = model, scale, customer, indices
        self._score = float(model.score(customer)[0])
        self.place = self._place({})
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
        return self._place(needed) < self.place

    def gain(self, needed: Mapping[str, float]) -> float:
        return float(self._model.score(moved(self._customer, needed, self._indices))[0]) - self._score

    def value(self, name: str) -> float:
        return float(self._customer[name].iloc[0])

    def _place(self, needed: Mapping[str, float]) -> int:
        customer = moved(self._customer, needed, self._indices)
        return self._scale.names.index(self._scale.grade(self._model.default_probability(customer))[0])

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
