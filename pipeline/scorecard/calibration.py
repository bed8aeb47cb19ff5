"""From a discriminant to a calibrated default probability."""

from typing import Any

import numpy as np
from scipy.special import expit, logit

from pipeline.scorecard import sql
from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.discriminant import weighted_sum
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.labels import checked_labels

# The knots are the quartiles of the defaults' discriminants; with fewer defaults the calibration is one line.
_BENDS = (0.25, 0.75)
_MIN_DEFAULTS = 100
_FLAT = 0.01  # a piece that rises by less than this part of the steepest one


class SplineCalibrator:
    """Log-odds of default as a linear spline of D, by logistic regression on Platt's smoothed targets.

    ::

        log-odds = intercept_ + slope_ * D + sum over the knots k of bend_k * max(D - k, 0)

    A discriminant of skewed indices overstates what tells its extremes apart. A line through the whole of it gives
    default rates that hold on average and in no grade; so the calibration is piecewise linear, with knots at
    the quartiles of the defaults' D. It is one line (Platt's own method) where the sample has fewer than 100 defaults,
    and a knot next to which it would be flat or fall is left out: the slope is positive everywhere, so that
    probabilities order as D does.

    The targets are (bads + 1) / (bads + 2) for a default and 1 / (goods + 2) otherwise, so that data which D separates
    perfectly, or a handful of defaults, still give finite slopes. Where the data ask for something else (D constant,
    one class only, or D ordering the sample the wrong way round) the slope stays 1, the intercept alone meets the
    sample's smoothed default rate, and ``fallback_`` says why. The order of the rows changes nothing.

    Attributes
    ----------
    intercept_, slope_ : float; knots_, bends_ : tuples of floats, as many of one as of the other, knots rising;
    fallback_ : reason or None
    """

    intercept_: float
    slope_: float
    knots_: tuple[float, ...]
    bends_: tuple[float, ...]
    fallback_: str | None

    def fit(self, discriminant: Numbers, y: Numbers) -> "SplineCalibrator":
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
        self.knots_ = self.bends_ = ()
        if not bads or not goods:
            self.fallback_ = "the sample has one class only"
        elif np.ptp(d) <= 1e-12 * max(1.0, np.abs(d).max()):  # d is in log-odds, so of the order of one
            self.fallback_ = "the discriminant is constant in the sample"
        else:
            self._bend(d, target, _knots(d, y) if bads >= _MIN_DEFAULTS else ())
            if self.slope_ <= 0:
                self.fallback_ = "the discriminant orders the sample the wrong way round"
        if self.fallback_:
            self.intercept_, self.slope_ = _shift(d, target.mean()), 1.0
        return self

    def log_odds(self, discriminant: Numbers) -> np.ndarray:
        """Calibrated log-odds of default, elementwise."""
        d = np.asarray(discriminant, dtype=np.float64)
        beyond = (np.maximum(d - knot, 0) for knot in self.knots_)
        return weighted_sum(beyond, self.bends_, self.intercept_ + self.slope_ * d)

    def discriminant(self, log_odds: Numbers) -> np.ndarray:
        """The inverse of ``log_odds``, elementwise."""
        z = np.asarray(log_odds, dtype=np.float64)
        d = (z - self.intercept_) / self.slope_
        for knot, slope in zip(self.knots_, self._slopes()[1:], strict=True):
            d = np.where(d > knot, knot + (z - self.log_odds(knot)) / slope, d)
        return d

    def probability(self, discriminant: Numbers) -> np.ndarray:
        """Calibrated default probability, (n_rows,)."""
        return expit(self.log_odds(discriminant))

    def to_dict(self) -> dict[str, Any]:
        """Everything fitted, as plain JSON."""
        return {
            "intercept": self.intercept_,
            "slope": self.slope_,
            "knots": list(self.knots_),
            "bends": list(self.bends_),
            "fallback": self.fallback_,
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "SplineCalibrator":
        """Documents of earlier formats have no knots."""
        calibrator = cls()
        calibrator.intercept_ = float(document["intercept"])
        calibrator.slope_ = float(document["slope"])
        calibrator.knots_, calibrator.bends_ = (
            tuple(map(float, document.get(name, ()))) for name in ("knots", "bends")
        )
        calibrator.fallback_ = document["fallback"]
        if len(calibrator.knots_) != len(calibrator.bends_) or sorted(set(calibrator.knots_)) != [*calibrator.knots_]:
            raise ModelFitError("the stored calibration needs a bend for each of its knots, and knots that rise")
        if calibrator._slopes().min() <= 0:
            raise ModelFitError(f"the stored calibration has the slopes {calibrator._slopes()}: all must be positive")
        return calibrator

    def discriminant_sql(self, log_odds: str, name: str) -> list[str]:
        """``discriminant`` as select lists, each over all columns of the one before; last, the column that has it."""
        z, slopes = log_odds, self._slopes()
        lists = [f"({z} - {sql.number(self.intercept_)}) / {sql.number(self.slope_)} as {name}_0"]
        for place, (knot, slope) in enumerate(zip(self.knots_, slopes[1:], strict=True)):
            beyond = f"{sql.number(knot)} + ({z} - {sql.number(float(self.log_odds(knot)))}) / {sql.number(slope)}"
            before = f"{name}_{place}"
            bent = sql.case((f"{before} > {sql.number(knot)}", beyond), otherwise=before)
            lists.append(f"{bent} as {name}_{place + 1}")
        return [*lists, f"{name}_{len(self.knots_)}"]

    def _slopes(self) -> np.ndarray:
        """Of the pieces, from the lowest D to the highest."""
        return np.cumsum([self.slope_, *self.bends_])

    def _bend(self, d: np.ndarray, target: np.ndarray, knots: tuple[float, ...]) -> None:
        """Fit with these knots, less those next to a piece that does not rise."""
        while True:
            self.intercept_, self.slope_, *bends = logistic(d, target, knots)
            self.knots_, self.bends_ = knots, tuple(bends)
            slopes = self._slopes()
            if not knots or slopes.min() > _FLAT * slopes.max():
                return
            out = min(int(np.argmin(slopes)), len(knots) - 1)
            knots = knots[:out] + knots[out + 1 :]


def logistic(d: np.ndarray, target: np.ndarray, knots: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Intercept, slope and the bend at each knot of least mean cross-entropy; d is standardised meanwhile, for
    conditioning."""
    from scipy.optimize import minimize  # takes long to load, and is of no use to who scores

    mean, spread = d.mean(), d.std()
    columns = [np.ones_like(d), (d - mean) / spread, *(np.maximum(d - knot, 0) / spread for knot in knots)]

    def log_odds(at: Numbers) -> Numbers:
        return weighted_sum(columns, at, np.zeros(len(d)))

    def loss(at: Numbers) -> Numbers:
        z = log_odds(at)
        return np.mean(np.logaddexp(0, z) - target * z)

    def gradient(at: Numbers) -> Numbers:
        error = expit(log_odds(at)) - target
        return np.array([(error * column).mean() for column in columns])

    def hessian(at: Numbers) -> Numbers:
        p = expit(log_odds(at))
        weight = p * (1 - p)
        return np.array([[(weight * one * other).mean() for other in columns] for one in columns])

    start = np.zeros(len(columns))
    start[0] = logit(target.mean())
    found = minimize(loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-10})
    if np.abs(gradient(found.x)).max() > 1e-6:
        raise ModelFitError(f"the calibration did not converge: {found.message}")
    intercept, *slopes = found.x
    slope, *bends = (float(value / spread) for value in slopes)
    return float(intercept - slope * mean), slope, *bends


def _knots(d: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
    """The quartiles of the defaults' D, of those between the ends that differ."""
    found = np.unique(np.quantile(d[y == 1], _BENDS, method="inverted_cdf"))
    return tuple(float(knot) for knot in found if d[0] < knot < d[-1])


def _shift(d: np.ndarray, rate: float) -> float:
    """The intercept at which the mean of expit(intercept + d) is the rate."""
    from scipy.optimize import brentq

    bracket = logit(rate) - d.max() - 1, logit(rate) - d.min() + 1
    return float(brentq(lambda intercept: expit(intercept + d).mean() - rate, *bracket, xtol=1e-12))
