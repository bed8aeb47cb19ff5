"""How well a risk (log-odds, or a default probability) separates defaults from the rest. y is 1 for default, else 0."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.labels import checked_labels


class Interval(NamedTuple):
    value: float
    low: float
    high: float


def auc(y: Numbers, risk: Numbers, level: float = 0.95) -> Interval:
    """Probability that a default has the higher risk (a tie counts half), with DeLong's interval.

    The variance is that of the structural components, got from midranks (Sun and Xu 2014), in n log n. With fewer than
    two rows in a class nothing is known of it, and the interval is 0 to 1.
    """
    from scipy.stats import rankdata  # takes a second to load, and who scores has no use for it

    y, risk = _checked(y, risk)
    bad, good = risk[y == 1], risk[y == 0]
    ranks = rankdata(risk)
    over_goods = (ranks[y == 1] - rankdata(bad)) / len(good)
    under_bads = 1 - (ranks[y == 0] - rankdata(good)) / len(bad)
    value = float(over_goods.mean())
    if min(len(bad), len(good)) < 2:
        return Interval(value, 0.0, 1.0)
    deviation = np.sqrt(over_goods.var(ddof=1) / len(bad) + under_bads.var(ddof=1) / len(good))
    reach = float(ndtri((1 + level) / 2) * deviation)
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach))


def ks(y: Numbers, risk: Numbers) -> float:
    """Largest distance between the risk distributions of defaults and the rest (Kolmogorov-Smirnov)."""
    y, risk = _checked(y, risk)
    order = np.argsort(risk, kind="stable")
    y, risk = y[order], risk[order]
    last_of_ties = np.append(risk[1:] > risk[:-1], True)
    bads, goods = np.cumsum(y)[last_of_ties], np.cumsum(1 - y)[last_of_ties]
    return float(np.abs(bads / bads[-1] - goods / goods[-1]).max())


def brier(y: Numbers, probability: Numbers) -> float:
    """Mean squared error of the default probability; lower is better."""
    probability = np.asarray(probability, dtype=np.float64)
    return float(np.mean((probability - checked_labels(y, len(probability))) ** 2))


def default_rate_by_grade(grade: Numbers, y: Numbers, names: Sequence[str]) -> pd.DataFrame:
    """One row per grade of ``names`` in their order: customers, defaults, default_rate (NaN where nobody is)."""
    table = pd.DataFrame({"grade": np.asarray(grade), "y": checked_labels(y, len(grade))}).groupby("grade")["y"]
    counts = table.agg(customers="size", defaults="sum").reindex(list(names), fill_value=0)
    counts["default_rate"] = counts["defaults"] / counts["customers"].where(counts["customers"] > 0)
    return counts.rename_axis("grade")


def _checked(y: Numbers, risk: Numbers) -> tuple[np.ndarray, np.ndarray]:
    risk = np.asarray(risk, dtype=np.float64)
    if not np.isfinite(risk).all():
        raise ModelFitError("a risk is NaN or infinite")
    y = checked_labels(y, len(risk))
    if y.all() or not y.any():
        raise ModelFitError("both defaults (1) and others (0) are needed to measure how a risk tells them apart")
    return y, risk
