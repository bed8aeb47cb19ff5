"""Log-odds to points and back, and the expert scorecard for where labels are too few to fit a model."""

import copy
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit

from pipeline.scorecard import sql
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.serialization import FORMAT, reading
from pipeline.scorecard.stability import SCORE, Baseline, Bins
from pipeline.scorecard.terms import Term

BANDS = ("A", "B", "C", "D")
CANCELS = 1e-9  # points that add up to less are stretched by nothing; so in report.grade_explanation


@dataclass(frozen=True)
class Scorecard:
    """``points`` at good:bad odds of ``odds``:1, and ``pdo`` points more double the odds; a higher score is better."""

    points: float = 600
    odds: float = 50
    pdo: float = 20

    def __post_init__(self):
        if not math.isfinite(self.points) or not (0 < self.odds < math.inf and 0 < self.pdo < math.inf):
            raise ModelFitError(f"{self}: points must be finite, odds and pdo positive")

    @property
    def factor(self) -> float:
        return self.pdo / math.log(2)

    @property
    def offset(self) -> float:
        return self.points - self.factor * math.log(self.odds)

    def score(self, log_odds):
        """Points for log-odds of default, elementwise."""
        return self.offset - self.factor * log_odds

    def log_odds(self, score):
        """Log-odds of default for points, elementwise: the inverse of ``score``."""
        return (self.offset - score) / self.factor


class LogOddsModel:
    """What any rating model does once it has a ``scorecard``, ``columns``, ``log_odds(frame)`` and its SQL, a
    ``base_score_``, and ``linear_points(frame)``: the points by column of which ``score_at`` makes the score.

    ``monitoring`` holds the frozen bins of the score and of each column with their training counts (drift.py), or None.
    """

    scorecard: Scorecard
    monitoring: Baseline | None

    def default_probability(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,), between 0 and 1."""
        return expit(self.log_odds(frame))

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,) points of the scorecard."""
        return self.scorecard.score(self.log_odds(frame))

    def probability_of(self, score) -> np.ndarray:
        """The default probability that a score stands for, elementwise."""
        return expit(self.scorecard.log_odds(score))

    def score_at(self, points) -> np.ndarray:
        """The score of a customer whose ``linear_points`` add up to so many, elementwise."""
        return self.base_score_ + points

    def points_at(self, score) -> np.ndarray:
        """What a customer's ``linear_points`` add up to, by the score: elementwise, the inverse of ``score_at``."""
        return score - self.base_score_

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Points by column on the frame's index; ``base_score_`` plus a row's sum is its score.

        Where the score is no plain sum, each row's ``linear_points`` are stretched by one factor, so that they add up:
        the Aumann-Shapley values of the columns, on the straight way from the average customer to this one. A row whose
        points cancel out is left as it is.
        """
        points = self.linear_points(frame)
        total = points.sum(axis=1).to_numpy(dtype=np.float64)
        gained = self.score_at(total) - self.base_score_
        cancels = np.abs(total) <= CANCELS
        return points.mul(np.where(cancels, 1.0, gained / np.where(cancels, 1.0, total)), axis=0)

    def reason_points(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``linear_points`` that are below zero only where a value, or the want of one, is the reason."""
        return self.linear_points(frame)

    def watching(self, frame: pd.DataFrame) -> "LogOddsModel":
        """A copy whose ``monitoring`` is that of these rows."""
        watching = copy.copy(self)
        bins = {column: self._bins(frame, column) for column in self.columns}
        watching.__dict__["monitoring"] = Baseline({SCORE: Bins.of_numbers(self.score(frame)), **bins})
        return watching

    def count(self, frame: pd.DataFrame, score=None) -> dict[str, list[int]]:
        """Rows in each of the ``monitoring`` bins; counts of batches add up. ``score`` where it is at hand already."""
        if self.monitoring is None:
            raise ModelFitError("the model holds no bins to monitor by: watching(frame) gives it some")
        return self.monitoring.count(self.score(frame) if score is None else score, frame)

    def to_sql(self, dialect: str = "postgresql", quantity: str = "score") -> str:
        """The model as one expression over its ``columns``: score, default_probability or log_odds.

        Every operation in the order in which Python does it, so that the numbers are equal to 1e-9. A gap is null; NaN
        is not one in SQL. dialect: "postgresql" or "duckdb".
        """
        log_odds = self._log_odds_sql(dialect)
        match quantity:
            case "log_odds":
                return log_odds
            case "score":
                return f"{sql.number(self.scorecard.offset)} - {sql.number(self.scorecard.factor)} * ({log_odds})"
            case "default_probability":
                # PostgreSQL's exp fails where it would overflow; probabilities beyond 1e-300 are nobody's.
                return f"1e0 / (1e0 + exp(least(greatest(-({log_odds}), -690e0), 690e0)))"
        raise ModelFitError(f"no SQL of {quantity!r}: choose score, default_probability or log_odds")


@dataclass(frozen=True)
class ExpertScorecard(LogOddsModel):
    """Log-odds of default = intercept + sum(weight * level), level 0 to 3 for the bands A to D of each column.

    ``missing_level`` stands for a band that is None or NaN. Weights are not negative: a worse band never scores better.
    """

    intercept: float
    weights: Mapping[str, float]
    missing_level: float = 1.0
    scorecard: Scorecard = field(default_factory=Scorecard)
    monitoring: Baseline | None = None

    def __post_init__(self):
        object.__setattr__(self, "weights", dict(self.weights))
        if not self.weights:
            raise ModelFitError("the expert scorecard has no weights")
        if not math.isfinite(self.intercept) or not 0 <= self.missing_level <= 3:
            raise ModelFitError("the expert scorecard needs a finite intercept and a missing_level from 0 to 3")
        if bad := [column for column, weight in self.weights.items() if not 0 <= weight < math.inf]:
            raise ModelFitError(f"expert weight of {', '.join(bad)} must be a number not below zero")

    @property
    def columns(self) -> tuple[str, ...]:
        """The band columns a table must have to be scored."""
        return tuple(self.weights)

    @property
    def base_score_(self) -> float:
        """The score of band A throughout."""
        return self.scorecard.score(self.intercept)

    def log_odds(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,) from a frame of band letters; an absent column or an unknown letter is a ModelFitError."""
        total = np.full(len(frame), float(self.intercept))
        for column, weight in self.weights.items():
            total += weight * self._levels(frame, column)
        return total

    def linear_points(self, frame: pd.DataFrame, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Points by column on the frame's index. ``columns``: only these, and the frame need not have the others."""
        weights = {c: weight for c, weight in self.weights.items() if columns is None or c in columns}
        return pd.DataFrame(
            {c: -self.scorecard.factor * weight * self._levels(frame, c) for c, weight in weights.items()},
            index=frame.index,
        )

    def terms(self) -> list[Term]:
        """The score as a sum over rows of plain numbers, for whoever evaluates it in SQL."""
        terms = [Term("intercept", "base", None, float(self.intercept), points_per_unit=float(self.base_score_))]
        for column, weight in self.weights.items():
            per_level = -self.scorecard.factor * weight
            points = tuple(float(per_level * level) for level in range(len(BANDS)))
            missing = float(per_level * self.missing_level)
            terms.append(Term(column, "band", column, float(weight), points=points, points_missing=missing))
        return terms

    def coefficients(self) -> pd.DataFrame:
        """One row per column: column, kind (band), coefficient (log-odds) and points a band costs, direction (None)."""
        weights = pd.Series(self.weights, dtype=float)
        table = {"column": weights.index, "kind": "band", "coefficient": weights, "direction": None}
        points = -weights * self.scorecard.factor
        return pd.DataFrame(table | {"points": points}, index=weights.index.rename("feature"))

    def to_dict(self) -> dict:
        """Plain JSON that ``from_dict`` reads back to the bit."""
        return {
            "format": FORMAT,
            "kind": "expert",
            "intercept": float(self.intercept),
            "weights": {column: float(weight) for column, weight in self.weights.items()},
            "missing_level": float(self.missing_level),
            "scorecard": asdict(self.scorecard),
            "monitoring": self.monitoring and self.monitoring.to_dict(),
        }

    @classmethod
    def from_dict(cls, document: dict) -> "ExpertScorecard":
        with reading(document, "expert"):
            return cls(
                document["intercept"],
                document["weights"],
                document["missing_level"],
                Scorecard(**document["scorecard"]),
                Baseline.from_dict(document["monitoring"]) if document.get("monitoring") else None,
            )

    def _bins(self, frame: pd.DataFrame, column: str) -> Bins:
        return Bins.of_categories(frame[column], BANDS)

    def _log_odds_sql(self, dialect: str) -> str:
        """An unknown letter gives null."""
        terms = [sql.double(self.intercept, dialect)]
        for column, weight in self.weights.items():
            band = sql.identifier(column)
            levels = ((f"{band} = {sql.text(letter)}", sql.number(level)) for level, letter in enumerate(BANDS))
            level = sql.case((f"{band} is null", sql.number(self.missing_level)), *levels, otherwise="null")
            terms.append(f"{sql.number(weight)} * {level}")
        return "\n    + ".join(terms)

    def _levels(self, frame: pd.DataFrame, column: str) -> np.ndarray:
        if column not in frame:
            raise ModelFitError(f"the table lacks the band column {column} of the expert scorecard")
        bands = frame[column]
        codes = pd.Index(BANDS).get_indexer(bands)
        unknown = (codes < 0) & bands.notna().to_numpy()
        if unknown.any():
            raise ModelFitError(f"column {column} holds {bands[unknown].iloc[0]!r}: bands are {', '.join(BANDS)}")
        return np.where(codes < 0, self.missing_level, codes)
