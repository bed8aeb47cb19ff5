"""Change and rank arithmetic, held against Table 1 of Ma, Qiu and Wang (2020)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scorecard.shock import Change, ranks, shocked

# Risk factor: evaluation value, score after change; as printed.
TABLE_1 = {
    "production": Change(0.784, 0.714),
    "management": Change(0.555, 0.982),
    "technical": Change(0.743, 0.833),
    "market": Change(0.612, 0.672),
}


def order(sizes):
    return sorted(sizes, key=ranks(sizes).get)


def test_relative_changes_are_those_of_table_1():
    printed = {"production": -8.93, "management": 76.94, "technical": 12.11, "market": 9.80}
    assert {name: round(100 * change.relative, 2) for name, change in TABLE_1.items()} == printed


def test_the_mean_changes_as_in_table_1():
    mean = Change(
        np.mean([change.before for change in TABLE_1.values()]), np.mean([change.after for change in TABLE_1.values()])
    )
    assert (round(mean.before, 4), round(mean.after, 5)) == (0.6735, 0.80025)
    assert round(100 * mean.relative, 2) == 18.82


def test_factors_rank_as_in_table_1():
    absolute = {name: change.absolute for name, change in TABLE_1.items()}
    relative = {name: change.relative for name, change in TABLE_1.items()}
    assert order(absolute) == ["management", "technical", "production", "market"]
    assert order(relative) == ["management", "technical", "market", "production"]


def test_elasticity_is_relative_change_for_each_unit_of_shock():
    assert Change(0.5, 0.4, -0.1).elasticity == pytest.approx(2)
    assert Change(0.5, 0.4).elasticity is None
    assert Change(0.5, 0.5, 0.0).elasticity is None
    assert (Change(0.0, 0.4, 0.1).relative, Change(0.0, 0.4, 0.1).elasticity) == (None, None)


def test_equals_share_a_rank_and_what_has_no_size_is_last():
    assert ranks({"a": 0.1, "b": -0.3, "c": 0.3, "d": None, "e": 0.0}) == {"b": 1, "c": 1, "a": 3, "e": 4, "d": 5}
    assert ranks({}) == {}


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=20),
    low=st.floats(-0.99, 0.99),
    high=st.floats(-0.99, 0.99),
    direction=st.sampled_from("+-"),
)
def test_a_larger_shock_never_makes_a_value_worse(values, low, high, direction):
    low, high = sorted((low, high))
    worse, better = shocked(values, direction, low), shocked(values, direction, high)
    gain = (better - worse) * (1 if direction == "+" else -1)
    gaps = np.isnan(values)
    assert (np.isnan(worse) == gaps).all()
    assert (gain[~gaps] >= 0).all()


def test_better_is_along_the_direction_on_either_side_of_zero():
    np.testing.assert_allclose(shocked([2, 0, -0.5], "+", 0.1), [2.2, 0, -0.45])
    np.testing.assert_allclose(shocked([2, 0, -0.5], "-", 0.1), [1.8, 0, -0.55])
    np.testing.assert_allclose(shocked([2, 0, -0.5], "-", -0.1), [2.2, 0, -0.45])
