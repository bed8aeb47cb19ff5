"""A verdict on a model from rows it has not seen, as plain JSON: what a registry keeps and a model card shows."""

import pandas as pd

from pipeline.model.grades import GradeScale


def evaluate(y, probability, scale: GradeScale, score=None) -> dict:
    """y (n_rows,) 1 for default, probability (n_rows,) of default, score (n_rows,) points (for its distribution).

    ::

        {"customers", "defaults",
         "auc": {"value", "low", "high"}, "gini", "ks", "brier",
         "calibration": {"intercept", "slope", "ece", "expected_rate", "observed_rate",
                         "reliability", "resolution", "uncertainty"},
         "by_grade": {grade: {"customers", "defaults", "expected", "p_value", "p_adjusted", "low", "high"}},
         "curves": {"roc": [[false positive rate, true positive rate] ...],
                    "ks": [[probability, share of goods below, share of defaults below] ...],
                    "calibration": [[expected rate, observed rate, low, high, customers] ...],
                    "score": {"edges": [...], "goods": [...], "defaults": [...]}}}

    At most 200 points a curve, and no customer's row. With one class only: the counts, nothing else.
    """
    raise NotImplementedError


def calibration_by_grade(counts: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Expected against observed, from ``counts``: one row a grade, columns ``customers``, ``defaults``, ``expected``
    (sum of the default probabilities).

    Adds expected_rate, default_rate, low, high (Clopper-Pearson), p_value (exact binomial test, two-sided, of
    the mean probability) and p_adjusted (Holm, over the grades with customers). The test takes defaults for independent;
    in a common downturn they are not, and it rejects too often.
    """
    raise NotImplementedError


def calibration_metrics(y, probability, bins: int = 10) -> dict:
    """Calibration as numbers: ece, reliability, resolution, uncertainty over equal-count bins, intercept, slope,
    expected_rate, observed_rate.

    intercept and slope are those of a logistic regression on the log-odds: 0 and 1 where probabilities come true.
    """
    raise NotImplementedError
