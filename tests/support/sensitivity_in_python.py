"""The second way to analyse shocks: customers as a frame, through a model and numpy."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.policy import Policy
from pipeline.policy.grades import Grades
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.scorecard.bands import band, evaluation
from pipeline.scorecard.expert import BANDS
from pipeline.scorecard.shock import shocked

SET_BY_RULE = ("default", "override")
FINE, SCORE_UNIT = 1e9, 1000
SUMS = ("customers", "evaluated", "value", "score", "probability", "upgrades", "downgrades")


def changed(indices: pd.DataFrame, grades: pd.DataFrame, family: str, model, policy: Policy) -> dict[tuple, dict]:
    """What is summed by segment, factor and shock (None: how things are), of one family."""
    scenario = _ShockScenario(model, family, policy)
    frame = indices[indices["family"] == family].merge(grades.drop(columns="segment"), on="customer_id")
    values = {name: frame[name].where(~frame[f"{name}_missing"]) for name in scenario.names}
    place = {letter: at for at, letter in enumerate(BANDS)}
    letters = {column: frame[column].map(place).fillna(-1).astype(int) for column in scenario.bands}
    frame = frame.assign(**values, **letters)
    totals: dict[tuple, Counter] = defaultdict(Counter)
    _add(totals, frame["segment"], scenario.changes(frame))
    for (segment, factor, shock), total in totals.items():
        before = totals[segment, factor, None]
        total.update({name: before[name] for name in ("customers", "evaluated") if shock is not None})
    return {key: {name: total[name] for name in SUMS} for key, total in totals.items()}


class _ShockScenario:
    """A family's model, and what the policy shakes of it."""

    def __init__(self, model: CreditModel | ExpertScorecard, family: str, policy: Policy):
        self._model = model
        self._grades = policy.grades
        self._indices = policy.indices
        self._shocks = policy.sensitivity.shocks
        named = {factor: policy.factor_indices(factor, family) for factor in policy.sensitivity.factors}
        self._factors = {factor: names for factor, names in named.items() if names}
        self.names = {name for names in named.values() for name in names}
        self.bands = {f"{name}_band" for name in self.names} & set(model.columns)

    def changes(self, frame: pd.DataFrame) -> Iterator[tuple[str, float | None, dict[str, np.ndarray]]]:
        """Factor, shock and, of every customer, what is to be summed: whole numbers of fine units, or yes and no. A
        shock of None is how things are, with how many customers are evaluated."""
        customers = _Rated(frame, self._model, self._grades)
        for factor, names in self._factors.items():
            value, points = self._shocked(frame, names, 0.0)
            counted = {"customers": np.ones(len(frame)), "evaluated": ~np.isnan(value)}
            yield factor, None, counted | customers.measured(value, 0.0)
            for shock in self._shocks:
                value, points_after = self._shocked(frame, names, shock)
                yield factor, shock, customers.measured(value, points_after - points)

    def _shocked(self, frame: pd.DataFrame, names: tuple[str, ...], shock: float) -> tuple[np.ndarray, np.ndarray]:
        """Of every customer: the mean evaluation of the indices that have a value, NaN without any; and the linear
        points."""
        value, known, columns = np.zeros(len(frame)), np.zeros(len(frame)), {}
        for name in names:
            index = self._indices[name]
            after = shocked(frame[name], index.direction, shock)
            position, gap = evaluation(after, index.bands, index.direction), np.isnan(after)
            value += np.where(gap, 0, position)
            known += ~gap
            columns[name] = after
            if f"{name}_band" in self.bands:
                letters = band(after, index.bands, index.direction)  # that of a missing value is as it was
                codes = np.where(gap, frame[f"{name}_band"], letters.codes)
                columns[f"{name}_band"] = pd.Categorical.from_codes(codes, dtype=letters.dtype)
        points = self._model.linear_points(pd.DataFrame(columns), columns).sum(axis=1).to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return value / known, points


class _Rated:
    """Graded customers, and what becomes of their grades when their scores change."""

    def __init__(self, frame: pd.DataFrame, model: CreditModel | ExpertScorecard, grades: Grades):
        self._model, self._cutoffs = model, grades.cutoffs
        self._score = frame["score"].to_numpy()
        self._points = model.points_at(self._score)
        self._in_default = (frame["default_probability"] == 1).to_numpy()
        self._level = pd.Categorical(frame["grade"], categories=list(grades.names)).codes
        by_score = self._by(self._probability(self._score))
        # No ceiling gives a better grade.
        self._is_set = frame["rating_basis"].isin(SET_BY_RULE).to_numpy() | (self._level < by_score)
        self._ceiling = np.where(self._level > by_score, self._level, 0)
        self._before = np.where(self._is_set, self._level, np.maximum(by_score, self._ceiling))

    def measured(self, value: np.ndarray, points: np.ndarray | float) -> dict[str, np.ndarray]:
        """Of every customer what is to be summed, with an evaluation of ``value`` and so many more linear points."""
        score = np.where(points == 0, self._score, self._model.score_at(self._points + points))
        probability = self._probability(score)
        level = np.where(self._is_set, self._level, np.maximum(self._by(probability), self._ceiling))
        return {
            "value": _fine(np.nan_to_num(value)),
            "score": _fine(score / SCORE_UNIT),
            "probability": _fine(probability),
            "upgrades": level < self._before,
            "downgrades": level > self._before,
        }

    def _probability(self, score: np.ndarray) -> np.ndarray:
        return np.where(self._in_default, 1.0, self._model.probability_of(score))

    def _by(self, probability: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._cutoffs, probability, side="right")


def _fine(values: np.ndarray) -> np.ndarray:
    return np.rint(values * FINE)


def _add(totals: dict[tuple, Counter], segments: pd.Series, changes: Iterator[tuple]) -> None:
    codes, names = pd.factorize(segments)
    for factor, shock, numbers in changes:
        for what, values in numbers.items():
            for segment, total in zip(names, np.bincount(codes, weights=values), strict=True):
                totals[segment, factor, shock][what] += int(total)
