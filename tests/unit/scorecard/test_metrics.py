import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.scorecard import ModelFitError, auc, brier, default_rate_by_grade, ks

samples = st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=2, max_size=60)


@settings(deadline=None)
@given(samples)
def test_auc_and_ks_equal_their_definitions_ties_included(rows):
    y, risk = np.array(rows).T
    assume(0 < y.sum() < len(y))
    assert auc(y, risk).value == pytest.approx(roc_auc_score(y, risk), abs=1e-12)
    apart = [abs(np.mean(risk[y == 1] <= at) - np.mean(risk[y == 0] <= at)) for at in risk]
    assert ks(y, risk) == pytest.approx(max(apart), abs=1e-12)


def test_variance_of_the_auc_is_the_textbook_sum_over_pairs():
    rng = np.random.default_rng(1)
    bad, good = rng.normal(1, 1, 15), rng.normal(0, 1, 25)
    wins = (bad[:, None] > good) + 0.5 * (bad[:, None] == good)
    deviation = np.sqrt(wins.mean(axis=1).var(ddof=1) / 15 + wins.mean(axis=0).var(ddof=1) / 25)
    found = auc([1] * 15 + [0] * 25, np.concatenate([bad, good]))
    assert found.value - found.low == pytest.approx(1.959964 * deviation, rel=1e-6)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    y = np.arange(300) % 5 == 0
    truth = 0.760250  # two unit normals one apart: the normal distribution at 1 / sqrt(2)
    found = [auc(y, rng.normal(y, 1.0)) for _ in range(400)]
    assert 0.92 <= np.mean([interval.low <= truth <= interval.high for interval in found]) <= 0.98


def test_one_default_says_nothing_of_the_spread():
    assert auc([1, 0, 0], [3, 2, 1]) == (1.0, 0.0, 1.0)


def test_brier_by_hand():
    assert brier([1, 0], [0.75, 0.5]) == pytest.approx((0.0625 + 0.25) / 2)


def test_default_rates_keep_the_order_of_the_scale_and_its_empty_grades():
    table = default_rate_by_grade(["C", "A", "A", "C"], [1, 0, 1, 1], ["A", "B", "C"])
    expected = {"customers": [2, 0, 2], "defaults": [1, 0, 2], "default_rate": [0.5, np.nan, 1.0]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected, index=pd.Index(["A", "B", "C"], name="grade")))


@pytest.mark.parametrize(("y", "risk"), [([1, 1], [0, 1]), ([0, 0], [0, 1]), ([0, 1], [0, np.nan]), ([0, 1], [1])])
def test_refuse_what_cannot_be_measured(y, risk):
    for measure in (auc, ks):
        with pytest.raises(ModelFitError):
            measure(y, risk)
