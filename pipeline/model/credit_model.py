"""The fitted rating model: transform, discriminant, calibration and scorecard as one thing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from pipeline.model.calibration import PlattCalibrator
from pipeline.model.document import FORMAT, kind_of, reading
from pipeline.model.errors import ModelFitError
from pipeline.model.fisher import FisherLDA, weighted_sum
from pipeline.model.labels import checked_labels
from pipeline.model.scorecard import ExpertScorecard, LogOddsModel, Scorecard
from pipeline.model.transform import IndexTransformer, check_frame, numbers


class CreditModel(LogOddsModel):
    """Default probability and score of named index columns.

    ::

        log-odds of default = calibrator_.intercept_ + calibrator_.slope_ * D(transformer_(indices))

    A row's numbers are the same to the bit alone, in a chunk or in the whole table. A column that was dropped in
    training is not needed for scoring; ``transformer_.dropped_`` says which and why.

    Attributes
    ----------
    transformer_ : IndexTransformer; discriminant_ : FisherLDA; calibrator_ : PlattCalibrator
    base_score_ : the score of a customer who is average in every feature
    """

    def __init__(self, scorecard: Scorecard | None = None, shrinkage: str | float | None = "auto"):
        self.scorecard = scorecard or Scorecard()
        self.shrinkage = shrinkage

    def fit(
        self,
        frame: pd.DataFrame,
        y,
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
        check_frame(frame)
        frame, y = _ordered(frame, checked_labels(y, len(frame)))
        self.transformer_ = IndexTransformer(fill=fill).fit(frame)
        self.discriminant_ = FisherLDA().fit(self.transformer_.transform(frame), y)
        if calibration is not None:
            frame, y = calibration
        self.calibrator_ = PlattCalibrator().fit(self.discriminant(frame), y)
        return self

    def discriminant(self, frame: pd.DataFrame) -> np.ndarray:
        """D(x), (n_rows,), equal to the bit to ``discriminant_.decision_function`` of the features."""
        features = (values for _, values in self.transformer_.iter_features(frame))
        lda = self.discriminant_
        return weighted_sum(features, lda.coef_[0], np.full(len(frame), lda.intercept_[0]))

    def log_odds(self, frame: pd.DataFrame) -> np.ndarray:
        """Calibrated log-odds of default, (n_rows,)."""
        return self.calibrator_.log_odds(self.discriminant(frame))

    def recalibrated(self, frame: pd.DataFrame, y) -> "CreditModel":
        """The same discriminant, calibrated anew on these rows; this model stays as it is."""
        raise NotImplementedError

    def coefficients(self) -> pd.DataFrame:
        """One row per feature: column, kind (value, missing, sentinel, woe), coefficient (log-odds of D per standard
        deviation), points (score per standard deviation, calibrated; negative costs)."""
        raise NotImplementedError

    @property
    def base_score_(self) -> float:
        return float(self.scorecard.score(self.calibrator_.log_odds(self.discriminant_.intercept_[0])))

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Points by index, its flag included, on the frame's index; ``base_score_`` plus a row's sum is its score."""
        points = {column: np.zeros(len(frame)) for column in self.transformer_.indices_}
        per_unit = -self.scorecard.factor * self.calibrator_.slope_ * self.discriminant_.coef_[0]
        for (name, values), weight in zip(self.transformer_.iter_features(frame), per_unit, strict=True):
            points[self.transformer_.features_[name]["column"]] += values * weight
        return pd.DataFrame(points, index=frame.index)

    def to_dict(self) -> dict:
        """Plain JSON that ``from_dict`` reads back to the bit."""
        return {
            "format": FORMAT,
            "kind": "fisher_lda",
            "transform": self.transformer_.to_dict(),
            "discriminant": self.discriminant_.to_dict(),
            "calibration": self.calibrator_.to_dict(),
            "scorecard": asdict(self.scorecard),
        }

    @classmethod
    def from_dict(cls, document: dict) -> "CreditModel":
        with reading(document, "fisher_lda"):
            model = cls(Scorecard(**document["scorecard"]))
            model.transformer_ = IndexTransformer.from_dict(document["transform"])
            model.discriminant_ = FisherLDA.from_dict(document["discriminant"])
            model.calibrator_ = PlattCalibrator.from_dict(document["calibration"])
            if list(model.transformer_.features_) != document["discriminant"]["features"]:
                raise ModelFitError("the stored model's transform and discriminant name different features")
            return model


def model_from_dict(document: dict) -> CreditModel | ExpertScorecard:
    """The stored model, whichever kind it is."""
    kinds = {"fisher_lda": CreditModel, "expert": ExpertScorecard}
    kind = kind_of(document)
    if kind not in kinds:
        raise ModelFitError(f"the stored model is of kind {kind!r}: known are {', '.join(kinds)}")
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
