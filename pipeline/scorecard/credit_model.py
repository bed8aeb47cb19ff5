"""The fitted rating model: transform, discriminant, calibration and scorecard as one thing."""

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipeline.scorecard import sql
from pipeline.scorecard.base import LogOddsModel
from pipeline.scorecard.calibration import SplineCalibrator
from pipeline.scorecard.columns import Numbers, check_frame, numbers
from pipeline.scorecard.discriminant import LinearDiscriminant
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.expert import ExpertScorecard
from pipeline.scorecard.features import sql_of, term_of
from pipeline.scorecard.labels import checked_labels
from pipeline.scorecard.scaling import Scorecard
from pipeline.scorecard.serialization import FORMAT, kind_of, reading
from pipeline.scorecard.stability import SCORE, Baseline, Bins
from pipeline.scorecard.terms import Term
from pipeline.scorecard.transform import IndexTransformer


class CreditModel(LogOddsModel):
    """Default probability and score of named index columns.

    ::

        log-odds of default = calibrator_.log_odds(D(transformer_(indices)))

    A row's numbers are the same to the bit alone, in a chunk or in the whole table. A column that was dropped in
    training is not needed for scoring; ``transformer_.dropped_`` says which and why.

    Attributes
    ----------
    transformer_ : IndexTransformer; discriminant_ : LinearDiscriminant; calibrator_ : SplineCalibrator
    base_score_ : the score of a customer who is average in every feature
    """

    def __init__(self, scorecard: Scorecard | None = None, shrinkage: str | float | None = "auto") -> None:
        self.scorecard = scorecard or Scorecard()
        self.shrinkage = shrinkage
        self.monitoring = None

    def fit(
        self,
        frame: pd.DataFrame,
        y: Numbers,
        calibration: tuple[pd.DataFrame, object] | None = None,
        fill: Mapping[str, float] | None = None,
        *,
        binned: Iterable[str] = (),
        sentinels: Mapping[str, Sequence[float]] | None = None,
        directions: Mapping[str, str] | None = None,
    ) -> "CreditModel":
        """Fit on index columns and their labels, 1 for default and 0 otherwise.

        ``calibration`` holds rows kept out of the fit; without it the training rows calibrate as well, which flatters.
        ``fill`` gives fixed values for gaps, ``binned`` names columns to take by weight of evidence, ``sentinels`` the
        numbers of a column that are codes, ``directions`` ("+" more is better, or "-") which way bins may go (see
        IndexTransformer). The order of the rows changes nothing.
        """
        from pipeline.scorecard.fisher import FisherLDA  # takes a second to load, and is of no use to who scores

        check_frame(frame)
        if SCORE in frame:
            raise ModelFitError("a column is called score, as the model's own number is in its monitoring: rename it")
        frame, y = _ordered(frame, checked_labels(y, len(frame)))
        self.transformer_ = IndexTransformer(
            fill=fill, binned=tuple(binned), sentinels=sentinels, directions=directions
        ).fit(frame, y)
        self.discriminant_ = FisherLDA(shrinkage=self.shrinkage).fit(self.transformer_.transform(frame), y)
        later, outcome = (frame, y) if calibration is None else calibration
        self.calibrator_ = SplineCalibrator().fit(self.discriminant(later), outcome)
        self.monitoring = self.watching(frame).monitoring
        return self

    def discriminant(self, frame: pd.DataFrame) -> np.ndarray:
        """D(x), (n_rows,), equal to the bit to ``discriminant_.decision_function`` of the features."""
        features = (values for _, values in self.transformer_.iter_features(frame))
        return self.discriminant_.of_features(features, len(frame))

    def log_odds(self, frame: pd.DataFrame) -> np.ndarray:
        """Calibrated log-odds of default, (n_rows,)."""
        return self.calibrator_.log_odds(self.discriminant(frame))

    def recalibrated(self, frame: pd.DataFrame, y: Numbers) -> "CreditModel":
        """The same discriminant, calibrated anew on these rows; this model stays as it is.

        Nobody changes place in the order. The bins of the score move with it: drift is still counted from training.
        """
        model = copy.copy(self)
        model.calibrator_ = SplineCalibrator().fit(self.discriminant(frame), y)
        if self.monitoring is not None:
            bins = self.monitoring.bins[SCORE].moved(
                lambda score: model.scorecard.score(
                    model.calibrator_.log_odds(self.calibrator_.discriminant(self.scorecard.log_odds(score)))
                )
            )
            model.monitoring = self.monitoring.with_score(bins)
        return model

    @property
    def columns(self) -> tuple[str, ...]:
        """The index columns a table must have to be scored."""
        return tuple(self.transformer_.indices_)

    def coefficients(self) -> pd.DataFrame:
        """One row per feature: column, kind, coefficient, points, direction.

        kind is value, woe, missing or sentinel; coefficient is D's and points the ``linear_points``, per standard
        deviation of the feature; direction is how the model takes the index, "+" more is better or "-", None for a
        flag.
        """
        features = self.transformer_.features_.values()
        table = pd.DataFrame(
            {
                "column": [feature["column"] for feature in features],
                "kind": [feature["kind"] for feature in features],
                "coefficient": self.discriminant_.coef_[0],
                "points": self.discriminant_.coef_[0] * self._points_per_unit,
            },
            index=pd.Index(self.transformer_.features_, name="feature"),
        )
        signs = np.sign(table["points"]) * [self.transformer_.slope(feature) for feature in features]
        directions = [{1.0: "+", -1.0: "-"}.get(sign) for sign in signs]
        return table.assign(direction=pd.Series(directions, index=table.index, dtype=object))

    @property
    def base_score_(self) -> float:
        return float(self.scorecard.score(self.calibrator_.log_odds(self.discriminant_.intercept_[0])))

    def linear_points(self, frame: pd.DataFrame, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Points by index, its flag included, on the frame's index, before calibration (which is piecewise linear).

        ``columns``: only these, and the frame need not have the others.
        """
        columns = self.columns if columns is None else columns
        points = {column: np.zeros(len(frame)) for column in self.columns if column in columns}
        for column, of_feature, _ in self._summands(frame, points):
            points[column] += of_feature
        return pd.DataFrame(points, index=frame.index)

    def reason_points(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``linear_points``, but none below zero that come of a flag which the customer has not: to be known is no
        reason."""
        points = {column: np.zeros(len(frame)) for column in self.columns}
        own = {column: np.zeros(len(frame)) for column in self.columns}
        for column, of_feature, is_own in self._summands(frame, points):
            points[column] += of_feature
            own[column] += np.where(is_own, of_feature, 0)
        kept = {column: np.where(own[column] < 0, points[column], np.maximum(points[column], 0)) for column in points}
        return pd.DataFrame(kept, index=frame.index)

    def score_at(self, points: Numbers) -> np.ndarray:
        discriminant = self.discriminant_.intercept_[0] + points / self._points_per_unit
        return self.scorecard.score(self.calibrator_.log_odds(discriminant))

    def points_at(self, score: Numbers) -> np.ndarray:
        discriminant = self.calibrator_.discriminant(self.scorecard.log_odds(score))
        return (discriminant - self.discriminant_.intercept_[0]) * self._points_per_unit

    def _summands(
        self, frame: pd.DataFrame, columns: Collection[str]
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray | bool]]:
        """Column, linear points of one feature of it, and where that is a value or a flag that is set."""
        points = self._points_per_unit * self.discriminant_.coef_[0]
        of_feature = dict(zip(self.transformer_.features_, points, strict=True))
        for name, values in self.transformer_.iter_features(frame, columns):
            feature = self.transformer_.features_[name]
            is_own = self.transformer_.slope(feature) != 0 or values > 0  # a flag that is not set is below its mean
            yield feature["column"], values * of_feature[name], is_own

    def terms(self) -> list[Term]:
        """``linear_points`` as a sum over rows of plain numbers, and the base, for whoever evaluates them in SQL."""
        intercept = float(self.discriminant_.intercept_[0])
        terms = [Term("intercept", "base", None, intercept, points_per_unit=self.base_score_)]
        per_unit = self._points_per_unit
        for (name, feature), weight in zip(
            self.transformer_.features_.items(), self.discriminant_.coef_[0], strict=True
        ):
            index = self.transformer_.indices_[feature["column"]]
            terms.append(term_of(name, feature, index, float(weight), float(per_unit * weight)))
        return terms

    @property
    def _points_per_unit(self) -> float:
        """Of D: what the score changes by from the average good customer to the average default, spread evenly."""
        lda = self.discriminant_
        good, bad = lda.of_features(lda.means_.T, 2)
        change = self.calibrator_.log_odds(bad) - self.calibrator_.log_odds(good)
        return float(-self.scorecard.factor * change / (bad - good))

    def _bins(self, frame: pd.DataFrame, column: str) -> Bins:
        return Bins.of_numbers(numbers(frame, column))

    def linear_points_sql(self, dialect: str) -> dict[str, str]:
        return {column: " + ".join(self._points_sql(column, dialect)) for column in self.columns}

    def reason_points_sql(self, dialect: str) -> dict[str, str]:
        expressions = {}
        for column, total in self.linear_points_sql(dialect).items():
            own = " + ".join(self._points_sql(column, dialect, of_flag_not_set=0.0))
            expressions[column] = sql.case((f"{own} < 0e0", total), otherwise=f"greatest({total}, 0e0)")
        return expressions

    def score_at_sql(self, points: str) -> list[str]:
        discriminant = (
            f"{sql.number(self.discriminant_.intercept_[0])} + {points} / {sql.number(self._points_per_unit)}"
        )
        log_odds = self._calibrated_sql().format("discriminant_at_points")
        return [
            f"{discriminant} as discriminant_at_points",
            f"{self._of_log_odds_sql(log_odds, 'score')} as score_at_points",
        ]

    def points_at_sql(self, score: str) -> list[str]:
        intercept, per_unit = self.discriminant_.intercept_[0], self._points_per_unit
        *discriminant, last = self.calibrator_.discriminant_sql("log_odds_of_score", "discriminant_of_score")
        return [
            f"{self._log_odds_of_sql(score)} as log_odds_of_score",
            *discriminant,
            f"({last} - {sql.number(intercept)}) * {sql.number(per_unit)} as points_at_score",
        ]

    def _points_sql(self, column: str, dialect: str, **counting: float) -> list[str]:
        """The points of each feature of a column."""
        points = self._points_per_unit * self.discriminant_.coef_[0]
        index = self.transformer_.indices_[column]
        features = zip(self.transformer_.features_.values(), points, strict=True)
        return [
            sql_of(feature, index, weight, dialect, **counting)
            for feature, weight in features
            if feature["column"] == column
        ]

    def _log_odds_sql(self, dialect: str) -> list[str]:
        lda, features = self.discriminant_, self.transformer_.features_.values()
        terms = [sql.double(lda.intercept_[0], dialect)]
        for feature, weight in zip(features, lda.coef_[0], strict=True):
            terms.append(sql_of(feature, self.transformer_.indices_[feature["column"]], weight, dialect))
        return ["(\n    " + "\n    + ".join(terms) + "\n)", self._calibrated_sql()]

    def _calibrated_sql(self) -> str:
        """The log-odds at the discriminant that stands in place of {0}."""
        calibrator = self.calibrator_
        pieces = [f"{sql.number(calibrator.intercept_)} + {sql.number(calibrator.slope_)} * {{0}}"]
        for knot, bend in zip(calibrator.knots_, calibrator.bends_, strict=True):
            pieces.append(f"{sql.number(bend)} * greatest({{0}} - {sql.number(knot)}, 0e0)")
        return "\n+ ".join(pieces)

    def _try_out(self) -> None:
        """Score somebody of whom nothing is known and one of zeros: what is malformed shows when the model is read."""
        strangers = pd.DataFrame({column: [np.nan, 0.0] for column in self.columns})
        with np.errstate(all="ignore"):
            scores = self.score(strangers)
        if not np.isfinite(scores).all() or not self.to_sql():
            raise ModelFitError("the stored model gives no score")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON that ``from_dict`` reads back to the bit."""
        return {
            "format": FORMAT,
            "kind": "fisher_lda",
            "transform": self.transformer_.to_dict(),
            "discriminant": self.discriminant_.to_dict(),
            "calibration": self.calibrator_.to_dict(),
            "scorecard": asdict(self.scorecard),
            "monitoring": self.monitoring and self.monitoring.to_dict(),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "CreditModel":
        with reading(document, "fisher_lda"):
            model = cls(Scorecard(**document["scorecard"]))
            model.transformer_ = IndexTransformer.from_dict(document["transform"])
            model.discriminant_ = LinearDiscriminant.from_dict(document["discriminant"])
            model.calibrator_ = SplineCalibrator.from_dict(document["calibration"])
            if document.get("monitoring"):
                model.monitoring = Baseline.from_dict(document["monitoring"])
            if list(model.transformer_.features_) != document["discriminant"]["features"]:
                raise ModelFitError("the stored model's transform and discriminant name different features")
            model._try_out()
            return model


def model_from_dict(document: dict[str, Any]) -> CreditModel | ExpertScorecard:
    """The stored model, whichever kind it is."""
    kinds: dict[str | None, type[CreditModel] | type[ExpertScorecard]]
    kinds = {"fisher_lda": CreditModel, "expert": ExpertScorecard}
    kind = kind_of(document)
    if kind not in kinds:
        raise ModelFitError(f"the stored model is of kind {kind!r}: known are {', '.join(map(str, kinds))}")
    return kinds[kind].from_dict(document)


def _ordered(frame: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows in an order that depends on their values alone, so that sums round the same however the rows came.

    By a 64-bit mix of each row's bits, ten times as fast as comparing column after column. Should two different rows
    mix to the same key, the worst that follows is a last bit.
    """
    key = np.zeros(len(frame), dtype=np.uint64)
    for column in frame:
        values = numbers(frame, column) + 0.0  # -0.0 becomes 0.0
        values[np.isnan(values)] = np.nan  # one NaN among its many bit patterns
        key = (key ^ values.view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    order = np.lexsort([y, key])
    return frame.iloc[order], y[order]
