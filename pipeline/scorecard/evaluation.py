"""A verdict on a model from rows it has not seen, as plain JSON: what a registry keeps and a model card shows."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv, logit

from pipeline.scorecard import curves
from pipeline.scorecard.calibration import logistic
from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.grade_scale import GradeScale
from pipeline.scorecard.labels import checked_labels
from pipeline.scorecard.metrics import auc, brier, ks
from pipeline.scorecard.scaling import Scorecard

_CERTAIN = 1e-12  # a probability closer to 0 or 1 than this is taken as this


def evaluate(y: Numbers, probability: Numbers, scale: GradeScale, score: Numbers = None) -> dict[str, Any]:
    """y (n_rows,) 1 for default, probability (n_rows,) of default, score (n_rows,) points (the usual scorecard's
    without it).

    ::

        {"customers", "defaults",
         "auc": {"value", "low", "high"}, "gini", "ks", "brier",
         "calibration": calibration_metrics(...),
         "by_grade": {grade: a row of calibration_by_grade(...)},
         "curves": {"roc": [[false positive rate, true positive rate] ...],
                    "ks": [[score, share of goods up to it, share of defaults up to it] ...],
                    "calibration": [{"expected_rate", "default_rate", "low", "high", "customers"} ...],
                    "score": {"edges": [...], "goods": [...], "defaults": [...]}}}

    Finite numbers, and None where nothing can be said. At most 200 points a curve, and no customer's row. With one
    class only: the counts, nothing else.
    """
    probability = _checked(probability)
    y = checked_labels(y, len(probability))
    counts = {"customers": len(y), "defaults": int(y.sum())}
    if y.all() or not y.any():
        return counts
    score = Scorecard().score(_log_odds(probability)) if score is None else np.asarray(score, dtype=np.float64)
    separation = auc(y, -score)
    return counts | {
        "auc": separation._asdict(),
        "gini": 2 * separation.value - 1,
        "ks": ks(y, -score),
        "brier": brier(y, probability),
        "calibration": calibration_metrics(y, probability),
        "by_grade": _records(_by_grade(y, probability, scale)),
        "curves": {
            "roc": curves.roc(y, -score),
            "ks": curves.cumulative_shares(y, score),
            "calibration": list(_records(_by_bin(y, probability, 10)).values()),
            "score": curves.histogram(y, score),
        },
    }


def calibration_by_grade(counts: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Expected against observed, from ``counts``: one row a grade, columns ``customers``, ``defaults``, ``expected``
    (sum of the default probabilities).

    Adds expected_rate, default_rate, low, high (Clopper-Pearson), p_value (exact binomial test, two-sided, of the mean
    probability) and p_adjusted (Holm, over the grades with customers, as some of six tests fail by chance alone). The
    test takes defaults for independent; in a common downturn they are not, and it rejects too often.
    """
    table = counts[["customers", "defaults", "expected"]].copy()
    people = table["customers"].where(table["customers"] > 0)
    table["expected_rate"] = table["expected"] / people
    table["default_rate"] = table["defaults"] / people
    table["low"], table["high"] = _clopper_pearson(table["defaults"], table["customers"], level)
    rates = zip(table["defaults"], table["customers"], table["expected_rate"], strict=True)
    table["p_value"] = [_p_value(*grade) for grade in rates]
    table["p_adjusted"] = _holm(table["p_value"])
    return table


def calibration_metrics(y: Numbers, probability: Numbers, bins: int = 10) -> dict[str, Any]:
    """Calibration as numbers.

    ::

        expected_rate, observed_rate            mean probability, share of defaults
        intercept, slope                        of a logistic regression on the log-odds: 0 and 1 where probabilities
                                                are calibrated; slope below 1: too extreme. None with one class
        ece                                     expected calibration error: mean |observed - expected| over bins
        reliability, resolution, uncertainty    Murphy's (1973) parts: brier = reliability - resolution + uncertainty,
                                                but for what varies within a bin

    Bins hold equal numbers of rows by probability; equal probabilities stay together.
    """
    probability = _checked(probability)
    y = checked_labels(y, len(probability))
    table = _by_bin(y, probability, bins)
    weight, rate = table["customers"] / len(y), float(y.mean())
    gap = table["default_rate"] - table["expected_rate"]
    intercept, slope = (None, None)
    log_odds = _log_odds(probability)
    if 0 < rate < 1 and np.ptp(log_odds) > 0:
        intercept, slope = logistic(log_odds, y)
    return {
        "expected_rate": float(probability.mean()),
        "observed_rate": rate,
        "intercept": intercept,
        "slope": slope,
        "ece": float((weight * gap.abs()).sum()),
        "reliability": float((weight * gap**2).sum()),
        "resolution": float((weight * (table["default_rate"] - rate) ** 2).sum()),
        "uncertainty": rate * (1 - rate),
    }


def _by_grade(y: np.ndarray, probability: np.ndarray, scale: GradeScale) -> pd.DataFrame:
    return calibration_by_grade(_counts(scale.grade(probability), y, probability, index=list(scale.names)))


def _by_bin(y: np.ndarray, probability: np.ndarray, bins: int) -> pd.DataFrame:
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins, method="inverted_cdf"))
    return calibration_by_grade(_counts(np.searchsorted(edges, probability), y, probability))


def _counts(part: Numbers, y: Numbers, probability: Numbers, index: Numbers = None) -> pd.DataFrame:
    table = pd.DataFrame({"part": part, "y": y, "probability": probability}).groupby("part")
    counts = table.agg(customers=("y", "size"), defaults=("y", "sum"), expected=("probability", "sum"))
    return counts if index is None else counts.reindex(index, fill_value=0)


def _clopper_pearson(defaults: pd.Series, customers: pd.Series, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of each rate; NaN without customers."""
    outside, others = (1 - level) / 2, customers - defaults
    low = np.where(defaults > 0, betaincinv(defaults, others + 1, outside), 0.0)
    high = np.where(others > 0, betaincinv(defaults + 1, others, 1 - outside), 1.0)
    return np.where(customers > 0, low, np.nan), np.where(customers > 0, high, np.nan)


def _p_value(defaults: int, customers: int, rate: float) -> float:
    from scipy.stats import binomtest  # see metrics.auc

    return float(binomtest(int(defaults), int(customers), min(rate, 1.0)).pvalue) if customers else np.nan


def _holm(p_values: pd.Series) -> pd.Series:
    """Holm's (1979) step-down adjustment; NaN is no test."""
    ranked = p_values.dropna().sort_values()
    factors = np.arange(len(ranked), 0, -1)
    return (ranked * factors).cummax().clip(upper=1).reindex(p_values.index)


def _records(table: pd.DataFrame) -> dict[str, Any]:
    """Rows as dicts of Python numbers, None for NaN."""
    return {
        key: {name: None if pd.isna(value) else value for name, value in row.items()}
        for key, row in table.to_dict("index").items()
    }


def _log_odds(probability: np.ndarray) -> np.ndarray:
    return logit(np.clip(probability, _CERTAIN, 1 - _CERTAIN))


def _checked(probability: Numbers) -> np.ndarray:
    probability = np.asarray(probability, dtype=np.float64)
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ModelFitError("a default probability is missing or outside 0 to 1")
    return probability
