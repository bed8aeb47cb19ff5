"""What a model must not be: fed with the answer, the wrong way round, or harder on one group than on another."""

from collections.abc import Mapping

import pandas as pd


def single_index_auc(frame: pd.DataFrame, y) -> pd.Series:
    """How well each column alone separates the classes, 0.5 to 1, in either direction.

    The best of three: the values that are there, and all rows with gaps before or behind every value, so that a column
    is also found out that is filled in for defaults only. NaN where a column says nothing.
    """
    raise NotImplementedError


def refuse_leaks(frame: pd.DataFrame, y, limit: float) -> None:
    """ModelFitError that names every column whose ``single_index_auc`` is ``limit`` or more."""
    raise NotImplementedError


def contradicted_signs(model, directions: Mapping[str, str]) -> dict[str, float]:
    """Indices whose fitted weight contradicts their direction: {column: points of score per standard deviation}.

    ``directions`` is {column: "+" more is better for credit, or "-"}. Flags of gaps have no direction.
    """
    raise NotImplementedError


def adverse_impact(counts: pd.DataFrame, *, threshold: float = 0.8, min_share: float = 0.02, level: float = 0.95):
    """The four-fifths rule, from ``counts``: one row a group, columns ``customers`` and ``selected`` (well graded, say).

    Returns counts plus rate, rate_low, rate_high (Wilson), ratio to the group with the highest rate, ratio_low,
    ratio_high (Katz), is_reference, is_adverse (ratio below the threshold). Groups under ``min_share`` of all customers
    are shown, but neither judged nor taken as the reference. For screening alone: a group never enters a score.
    """
    raise NotImplementedError


def selection_counts(groups, selected) -> pd.DataFrame:
    """``counts`` for ``adverse_impact`` from one group and one yes or no a customer; no group counts as "unknown"."""
    raise NotImplementedError
