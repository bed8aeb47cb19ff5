"""The expert scorecard: points by band, for where labels are too few to fit a model."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.scorecard import sql
from pipeline.scorecard.base import LogOddsModel
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.scaling import Scorecard
from pipeline.scorecard.serialization import FORMAT, reading
from pipeline.scorecard.stability import Baseline, Bins
from pipeline.scorecard.terms import Term

BANDS = ("A", "B", "C", "D")


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

    def __post_init__(self) -> None:
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

    def to_dict(self) -> dict[str, Any]:
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
    def from_dict(cls, document: dict[str, Any]) -> "ExpertScorecard":
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

    def linear_points_sql(self, dialect: str) -> dict[str, str]:
        per_level = {column: -self.scorecard.factor * weight for column, weight in self.weights.items()}
        return {column: f"{sql.number(points)} * {self._level_sql(column)}" for column, points in per_level.items()}

    def _log_odds_sql(self, dialect: str) -> list[str]:
        terms = [sql.double(self.intercept, dialect)]
        terms += [f"{sql.number(weight)} * {self._level_sql(column)}" for column, weight in self.weights.items()]
        return ["\n    + ".join(terms)]

    def _level_sql(self, column: str) -> str:
        """An unknown letter gives null."""
        band = sql.identifier(column)
        levels = ((f"{band} = {sql.text(letter)}", sql.number(level)) for level, letter in enumerate(BANDS))
        return sql.case((f"{band} is null", sql.number(self.missing_level)), *levels, otherwise="null")

    def _levels(self, frame: pd.DataFrame, column: str) -> np.ndarray:
        if column not in frame:
            raise ModelFitError(f"the table lacks the band column {column} of the expert scorecard")
        bands = frame[column]
        codes = pd.Index(BANDS).get_indexer(bands)
        unknown = (codes < 0) & bands.notna().to_numpy()
        if unknown.any():
            raise ModelFitError(f"column {column} holds {bands[unknown].iloc[0]!r}: bands are {', '.join(BANDS)}")
        return np.where(codes < 0, self.missing_level, codes)
