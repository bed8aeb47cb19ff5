"""From a discriminant to a default probability that comes true."""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pipeline.model.errors import ModelFitError
from pipeline.model.labels import checked_labels


class PlattCalibrator(BaseEstimator):
    """Log-odds of default = intercept_ + slope_ * D, by logistic regression on Platt's smoothed targets.

    The targets are (bads + 1) / (bads + 2) for a default and 1 / (goods + 2) otherwise, so that data which D separates
    perfectly, or a handful of defaults, still give a finite slope. The slope is always positive: probabilities order
    as D does. Where the data ask for something else (D constant, one class only, or D ordering the sample the wrong
    way round) the slope stays 1, the intercept alone meets the sample's smoothed default rate, and ``fallback_`` says
    why. The order of the rows changes nothing.

    Attributes
    ----------
    slope_ > 0, intercept_ : float; fallback_ : reason or None
    """

    def fit(self, discriminant, y) -> "PlattCalibrator":
        """discriminant (n_rows,) finite, y (n_rows,) 1 for default and 0 otherwise."""
        d = np.asarray(discriminant, dtype=np.float64)
        if d.ndim != 1 or not len(d) or not np.isfinite(d).all():
            raise ModelFitError("calibration needs at least one discriminant, and no NaN or infinity among them")
        y = checked_labels(y, len(d))
        order = np.lexsort([y, d])  # a sum rounds by its order, so the order has to come from the values
        d, y = d[order], y[order]
        bads = int(y.sum())
        goods = len(y) - bads
        target = np.where(y == 1, (bads + 1) / (bads + 2), 1 / (goods + 2))
        self.fallback_ = None
        if not bads or not goods:
            self.fallback_ = "the sample has one class only"
        elif np.ptp(d) <= 1e-12 * max(1.0, np.abs(d).max()):  # d is in log-odds, so of the order of one
            self.fallback_ = "the discriminant is constant in the sample"
        else:
            self.intercept_, self.slope_ = logistic(d, target)
            if self.slope_ <= 0:
                self.fallback_ = "the discriminant orders the sample the wrong way round"
        if self.fallback_:
            self.intercept_, self.slope_ = _shift(d, target.mean()), 1.0
        return self

    def log_odds(self, discriminant) -> np.ndarray:
        """Calibrated log-odds of default, (n_rows,)."""
        check_is_fitted(self)
        return self.intercept_ + self.slope_ * np.asarray(discriminant, dtype=np.float64)

    def discriminant(self, log_odds):
        """The inverse of ``log_odds``, elementwise."""
        check_is_fitted(self)
        return (log_odds - self.intercept_) / self.slope_

    def probability(self, discriminant) -> np.ndarray:
        """Calibrated default probability, (n_rows,)."""
        return expit(self.log_odds(discriminant))

    def to_dict(self) -> dict:
        """Everything fitted, as plain JSON."""
        check_is_fitted(self)
        return {"intercept": self.intercept_, "slope": self.slope_, "fallback": self.fallback_}

    @classmethod
    def from_dict(cls, document: dict) -> "PlattCalibrator":
        calibrator = cls()
        calibrator.intercept_ = float(document["intercept"])
        calibrator.slope_ = float(document["slope"])
        calibrator.fallback_ = document["fallback"]
        if calibrator.slope_ <= 0:
            raise ModelFitError(f"the stored calibration has the slope {calibrator.slope_}: it must be positive")
        return calibrator


def logistic(d: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of least mean cross-entropy; d is standardised meanwhile, for conditioning."""
    mean, spread = d.mean(), d.std()
    x = (d - mean) / spread

    def loss(at):
        z = at[0] + at[1] * x
        return np.mean(np.logaddexp(0, z) - target * z)

    def gradient(at):
        error = expit(at[0] + at[1] * x) - target
        return np.array([error.mean(), (error * x).mean()])

    def hessian(at):
        p = expit(at[0] + at[1] * x)
        weight = p * (1 - p)
        cross = (weight * x).mean()
        return np.array([[weight.mean(), cross], [cross, (weight * x * x).mean()]])

    found = minimize(
        loss, [logit(target.mean()), 0.0], jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-10}
    )
    if np.abs(gradient(found.x)).max() > 1e-6:
        raise ModelFitError(f"the calibration did not converge: {found.message}")
    slope = float(found.x[1] / spread)
    return float(found.x[0] - slope * mean), slope


def _shift(d: np.ndarray, rate: float) -> float:
    """The intercept at which the mean of expit(intercept + d) is the rate."""
    bracket = logit(rate) - d.max() - 1, logit(rate) - d.min() + 1
    return float(brentq(lambda intercept: expit(intercept + d).mean() - rate, *bracket, xtol=1e-12))
