"""What every rating model can do once it gives the log-odds of default."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit

from pipeline.scorecard import sql
from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.scaling import Scorecard
from pipeline.scorecard.stability import SCORE, Baseline, Bins
from pipeline.scorecard.terms import Term

CANCELS = 1e-9  # points that add up to less are stretched by nothing; so in report.grade_explanation


class LogOddsModel(ABC):
    """What any rating model does by its log-odds of default, its points and their SQL.

    ``monitoring`` holds the frozen bins of the score and of each column with their training counts (drift.py), or None.
    """

    scorecard: Scorecard
    monitoring: Baseline | None

    @property
    @abstractmethod
    def columns(self) -> Sequence[str]:
        """What it reads of a frame."""

    @property
    @abstractmethod
    def base_score_(self) -> float:
        """The score of the customer whose ``linear_points`` are all zero."""

    @abstractmethod
    def log_odds(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,) log-odds of default."""

    @abstractmethod
    def linear_points(self, frame: pd.DataFrame, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Points by column, of which ``score_at`` makes the score; ``columns``: of these alone."""

    @abstractmethod
    def coefficients(self) -> pd.DataFrame:
        """What each term weighs."""

    @abstractmethod
    def terms(self) -> list[Term]:
        """The terms of the score, as the warehouse holds them."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The model as JSON."""

    @abstractmethod
    def _bins(self, frame: pd.DataFrame, column: str) -> Bins:
        """The bins in which a column is monitored."""

    @abstractmethod
    def linear_points_sql(self, dialect: str) -> dict[str, str]:
        """``linear_points`` by column, each an expression over that column that gives the same double."""

    def reason_points_sql(self, dialect: str) -> dict[str, str]:
        """``reason_points`` likewise."""
        return self.linear_points_sql(dialect)

    def score_at_sql(self, points: str) -> list[str]:
        """``score_at`` as select lists, each over all columns of the one before: the last gives score_at_points."""
        return [f"{sql.number(self.base_score_)} + {points} as score_at_points"]

    def points_at_sql(self, score: str) -> list[str]:
        """``points_at`` likewise: the last gives points_at_score."""
        return [f"{score} - {sql.number(self.base_score_)} as points_at_score"]

    def probability_sql(self, score: str) -> str:
        """``probability_of`` as an expression."""
        return self._of_log_odds_sql(self._log_odds_of_sql(score), "default_probability")

    @abstractmethod
    def _log_odds_sql(self, dialect: str) -> list[str]:
        """``log_odds`` in steps: the first an expression over ``columns``, each other with {} in place of the step
        before it."""

    def default_probability(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,), between 0 and 1."""
        return expit(self.log_odds(frame))

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,) points of the scorecard."""
        return self.scorecard.score(self.log_odds(frame))

    def probability_of(self, score: Numbers) -> np.ndarray:
        """The default probability that a score stands for, elementwise."""
        return expit(self.scorecard.log_odds(score))

    def score_at(self, points: Numbers) -> np.ndarray:
        """The score of a customer whose ``linear_points`` add up to so many, elementwise."""
        return self.base_score_ + points

    def points_at(self, score: Numbers) -> np.ndarray:
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

    def watching(self, frame: pd.DataFrame) -> Self:
        """A copy whose ``monitoring`` is that of these rows."""
        watching = copy.copy(self)
        bins = {column: self._bins(frame, column) for column in self.columns}
        watching.__dict__["monitoring"] = Baseline({SCORE: Bins.of_numbers(self.score(frame)), **bins})
        return watching

    def count(self, frame: pd.DataFrame, score: Numbers = None) -> dict[str, list[int]]:
        """Rows in each of the ``monitoring`` bins; counts of batches add up. ``score`` where it is at hand already."""
        if self.monitoring is None:
            raise ModelFitError("the model holds no bins to monitor by: watching(frame) gives it some")
        return self.monitoring.count(self.score(frame) if score is None else score, frame)

    def to_sql(self, dialect: str = "postgresql", quantity: str = "score") -> str:
        """The model as one expression over its ``columns``: score, default_probability or log_odds.

        Every operation in the order in which Python does it, so that the numbers are equal to 1e-9. A gap is null; NaN
        is not one in SQL. dialect: "postgresql" or "duckdb".
        """
        log_odds, *steps = self._log_odds_sql(dialect)
        for step in steps:
            log_odds = step.format(log_odds)
        return self._of_log_odds_sql(log_odds, quantity)

    def select_lists(self, dialect: str) -> list[str]:
        """The model as select lists, each to be put over all columns of the one before: in the last the columns score
        and default_probability. Nothing is worked out twice, as it is where ``to_sql`` is one expression."""
        first, *others = self._log_odds_sql(dialect)
        steps = [f"{first} as step_0"]
        steps += [f"{step.format(f'step_{before}')} as step_{before + 1}" for before, step in enumerate(others)]
        quantities = (
            f"{self._of_log_odds_sql(f'step_{len(others)}', quantity)} as {quantity}"
            for quantity in ("score", "default_probability")
        )
        return [*steps, ", ".join(quantities)]

    def _log_odds_of_sql(self, score: str) -> str:
        return f"({sql.number(self.scorecard.offset)} - {score}) / {sql.number(self.scorecard.factor)}"

    def _of_log_odds_sql(self, log_odds: str, quantity: str) -> str:
        match quantity:
            case "log_odds":
                return log_odds
            case "score":
                return f"{sql.number(self.scorecard.offset)} - {sql.number(self.scorecard.factor)} * ({log_odds})"
            case "default_probability":
                # PostgreSQL's exp fails where it would overflow; probabilities beyond 1e-300 are nobody's.
                return f"1e0 / (1e0 + exp(least(greatest(-({log_odds}), -690e0), 690e0)))"
        raise ModelFitError(f"no SQL of {quantity!r}: choose score, default_probability or log_odds")
