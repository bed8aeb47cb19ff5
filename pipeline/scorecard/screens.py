"""What a model must not be: fed with the answer, the wrong way round, or harder on one group than on another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.scorecard.base import LogOddsModel
from pipeline.scorecard.columns import Numbers, numbers
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.labels import checked_labels

_ENOUGH = 10  # rows of either class; what the order of fewer says may well be chance


def single_index_auc(frame: pd.DataFrame, y: Numbers) -> pd.Series:
    """How well each column alone separates the classes, 0.5 to 1, in either direction.

    The best of three: the values that are there (if there are 10 of either class), and all rows with gaps before or
    behind every value, so that a column is also found out that is filled in for defaults only.
    """
    y = checked_labels(y, len(frame))
    if y.all() or not y.any():
        raise ModelFitError("both defaults (1) and others (0) are needed to see whether a column tells them apart")
    return pd.Series({column: _separation(numbers(frame, column), y) for column in frame}, dtype=float)


def refuse_leaks(frame: pd.DataFrame, y: Numbers, limit: float) -> None:
    """ModelFitError that names every column whose ``single_index_auc`` is ``limit`` or more."""
    found = single_index_auc(frame, y)
    if leaks := [f"{column} ({value:.3f})" for column, value in found.items() if value >= limit]:
        raise ModelFitError(
            f"tells defaults from the rest all by itself, AUC {limit:g} or more: {', '.join(leaks)}; "
            "does it know the outcome? leave it out, or date it before the cut-off"
        )


def contradicted_signs(model: LogOddsModel, directions: Mapping[str, str]) -> dict[str, float]:
    """Indices whose fitted weight contradicts their direction: {column: points of score per standard deviation}.

    ``directions`` is {column: "+" more is better for credit, or "-"}. Flags of gaps and sentinels have none.
    """
    table = model.coefficients().dropna(subset="direction").set_index("column")
    declared = pd.Series(directions, dtype=object).reindex(table.index)
    return table.loc[declared.notna() & (declared != table["direction"]), "points"].to_dict()


def selection_counts(groups: Numbers, selected: Numbers) -> pd.DataFrame:
    """``counts`` for ``adverse_impact`` from one group and one yes or no a customer; no group counts as "unknown"."""
    groups = pd.Series(groups, dtype=object).fillna("unknown").to_numpy()
    table = pd.DataFrame({"group": groups, "selected": np.asarray(selected, dtype=bool)})
    return table.groupby("group")["selected"].agg(customers="size", selected="sum")


def adverse_impact(
    counts: pd.DataFrame, *, threshold: float = 0.8, min_share: float = 0.02, level: float = 0.95
) -> pd.DataFrame:
    """The four-fifths rule, from ``counts``: a row a group, ``customers`` and of these ``selected`` (well graded, say).

    Returns counts plus rate, rate_low, rate_high (Wilson), ratio to the group with the highest rate, ratio_low,
    ratio_high (Katz), is_reference, is_judged, is_adverse (judged, and the ratio below the threshold). Groups under
    ``min_share`` of all customers are shown, but neither judged nor taken as the reference; with fewer than two others
    nobody is. For screening alone: a group never enters a score.
    """
    counts = counts[["customers", "selected"]].astype(int)
    if not ((counts["selected"] >= 0) & (counts["selected"] <= counts["customers"])).all():
        raise ModelFitError("a group has more selected than customers, or fewer than none")
    table = counts.assign(rate=counts["selected"] / counts["customers"].where(counts["customers"] > 0))
    rates = [_wilson(customers, selected, level) for customers, selected in counts.itertuples(index=False)]
    table = table.join(pd.DataFrame(rates, index=table.index, columns=["rate_low", "rate_high"]))
    judged = table["customers"] >= max(1, min_share * table["customers"].sum())
    reference = table.loc[judged, "rate"].idxmax() if judged.sum() > 1 else None
    best = None if reference is None else counts.loc[reference]
    ratios = [_ratio(group, best, level) for _, group in counts.iterrows()]
    table = table.join(pd.DataFrame(ratios, index=table.index, columns=["ratio", "ratio_low", "ratio_high"]))
    table["is_reference"] = table.index == reference
    table["is_judged"] = judged & table["ratio"].notna()
    table["is_adverse"] = table["is_judged"] & (table["ratio"] < threshold)
    return table.rename_axis("group")


def _separation(values: np.ndarray, y: np.ndarray) -> float:
    there = ~np.isnan(values)
    distinct, places = np.unique(values[there], return_inverse=True)
    counts = np.stack([np.bincount(places[y[there] == k], minlength=len(distinct)) for k in (0, 1)], axis=1)
    gaps = [[(y[~there] == k).sum() for k in (0, 1)]]
    orders = [np.concatenate([gaps, counts]), np.concatenate([counts, gaps])]
    if counts.sum(axis=0).min() >= _ENOUGH:
        orders.append(counts)
    return 0.5 + max(abs(_auc(goods, bads) - 0.5) for goods, bads in (order.T for order in orders))


def _auc(goods: np.ndarray, bads: np.ndarray) -> float:
    """From goods and bads in the order of a value; those with the same value count half."""
    return float(bads @ (np.cumsum(goods) - goods / 2) / (goods.sum() * bads.sum()))


def _wilson(customers: int, selected: int, level: float) -> tuple[float, float]:
    if not customers:
        return np.nan, np.nan
    from scipy.stats import binomtest  # see metrics.auc

    interval = binomtest(selected, customers).proportion_ci(level, method="wilson")
    return interval.low, interval.high


def _ratio(group: pd.Series, reference: pd.Series | None, level: float) -> tuple[float, float, float]:
    if reference is None or not group["customers"] or not reference["selected"]:
        return (np.nan,) * 3
    from scipy.stats.contingency import relative_risk  # see metrics.auc

    risk = relative_risk(*(int(part[name]) for part in (group, reference) for name in ("selected", "customers")))
    interval = risk.confidence_interval(level)
    return float(risk.relative_risk), float(interval.low), float(interval.high)
