import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pipeline.scorecard import ModelFitError, SplineCalibrator


def sample(seed, rows=2000, slope=1.0, intercept=-2.0):
    rng = np.random.default_rng(seed)
    d = rng.normal(0, 2, rows)
    return d, (rng.logistic(size=rows) < intercept + slope * d).astype(int)


def bent(seed, rows=20_000):
    """Log-odds that rise by 1.5 for one of D up to -1, by 0.2 up to 2, and by 1 from there on."""
    d = np.random.default_rng(seed).normal(0, 2, rows)
    log_odds = -3 + 1.5 * np.minimum(d + 1, 0) + 0.2 * np.clip(d + 1, 0, 3) + np.maximum(d - 2, 0)
    return d, (np.random.default_rng(seed + 1).logistic(size=rows) < log_odds).astype(int), log_odds


def test_is_logistic_regression_on_the_spline_once_there_are_many_rows():
    d, y, _ = bent(1, 50_000)
    ours = SplineCalibrator().fit(d, y)
    columns = np.column_stack([d, *(np.maximum(d - knot, 0) for knot in ours.knots_)])
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(columns, y)
    np.testing.assert_allclose([ours.slope_, *ours.bends_], theirs.coef_[0], atol=0.005)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_[0], atol=0.005)


def test_bends_at_the_quartiles_of_the_defaults():
    d, y, _ = bent(1)
    calibrator = SplineCalibrator().fit(d, y)
    below = [(d[y == 1] <= knot).mean() for knot in calibrator.knots_]
    assert below == pytest.approx([0.25, 0.75], abs=1e-3)


def test_few_defaults_are_platts_straight_line():
    d, y = sample(1, rows=50_000, slope=0.7)
    some = np.concatenate([np.flatnonzero(y == 1)[:99], np.flatnonzero(y == 0)])
    ours = SplineCalibrator().fit(d[some], y[some])
    assert ours.knots_ == ours.bends_ == ()
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(d[some, None], y[some])
    assert ours.slope_ == pytest.approx(theirs.coef_[0, 0], rel=0.03)
    assert ours.intercept_ == pytest.approx(theirs.intercept_[0], rel=0.03)


def test_default_rates_come_true_all_along_where_a_line_would_miss_them():
    """On rows it has not seen: the mean probability of each tenth of them is within what chance explains."""
    d, y, log_odds = bent(3)
    calibrator = SplineCalibrator().fit(d[::2], y[::2])
    straight = LogisticRegression(C=np.inf).fit(d[::2, None], y[::2])
    parts = np.array_split(np.argsort(d[1::2]), 10)
    truth, found, line = (
        np.array([values[part].mean() for part in parts])
        for values in (
            expit(log_odds[1::2]),
            calibrator.probability(d[1::2]),
            straight.predict_proba(d[1::2, None])[:, 1],
        )
    )
    allowed = 3 * np.sqrt(truth * (1 - truth) / 1000)
    assert (np.abs(found - truth) <= allowed).all()
    assert (np.abs(line - truth) > allowed).any()


def test_probabilities_add_up_to_the_defaults_there_were():
    d, y = sample(2)
    assert SplineCalibrator().fit(d, y).probability(d).sum() == pytest.approx(y.sum(), abs=1)


@settings(max_examples=60, deadline=None)
@given(
    d=st.lists(st.floats(-50, 50), min_size=2, max_size=40),
    flips=st.integers(0, 2**40 - 1),
)
def test_orders_as_the_discriminant_whatever_the_sample(d, flips):
    y = [(flips >> i) & 1 for i in range(len(d))]
    calibrator = SplineCalibrator().fit(d, y)
    assert 0 < calibrator.slope_ < np.inf
    assert np.isfinite(calibrator.intercept_)
    assert (np.diff(calibrator.probability(np.sort(d))) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rates=st.lists(st.floats(0.02, 0.98), min_size=2, max_size=6),
    values=st.sampled_from([3, 40, 1000]),
)
def test_rises_everywhere_and_back_whatever_the_default_rates(seed, rates, values):
    """Rates that fall and rise along D, a D of few values: it has knots where possible and never falls."""
    rng = np.random.default_rng(seed)
    d = rng.integers(0, values, 2000) / values * 6 - 3
    y = (rng.random(2000) < np.interp(d, np.linspace(-3, 3, len(rates)), rates)).astype(int)
    calibrator = SplineCalibrator().fit(d, y)
    at = np.concatenate([np.linspace(-10, 10, 500), calibrator.knots_])
    assert (np.diff(calibrator.log_odds(np.sort(at))) > 0).all()
    np.testing.assert_allclose(calibrator.discriminant(calibrator.log_odds(at)), at, atol=1e-9)
    again = SplineCalibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())))
    assert (again.log_odds(at) == calibrator.log_odds(at)).all()


def test_a_piece_that_would_fall_is_merged_with_its_neighbour():
    rng = np.random.default_rng(5)
    d = rng.uniform(-3, 3, 20_000)
    rate = np.interp(d, [-3, -1.5, 1.5, 3], [0.02, 0.35, 0.2, 0.8])
    calibrator = SplineCalibrator().fit(d, (rng.random(20_000) < rate).astype(int))
    assert len(calibrator.knots_) < 2
    assert calibrator.fallback_ is None


@pytest.mark.parametrize("defaults", [1, 5, 500])
def test_separable_data_do_not_diverge(defaults):
    d = np.linspace(-5, 5, 1000)
    y = (np.arange(1000) >= 1000 - defaults).astype(int)
    calibrator = SplineCalibrator().fit(d, y)
    assert calibrator.fallback_ is None
    assert 0 < calibrator.slope_ < 1000
    assert calibrator.probability(d).sum() == pytest.approx(defaults, abs=1.5)


@pytest.mark.parametrize(
    ("d", "y", "reason"),
    [
        ([-1.0, 0.0, 1.0, 2.0], [0, 0, 0, 0], "one class only"),
        ([-1.0, 0.0, 1.0, 2.0], [1, 1, 1, 1], "one class only"),
        ([0.1, 0.1, 0.1, 0.1], [0, 1, 0, 0], "constant"),
        ([-1.0, 0.0, 1.0, 2.0], [1, 1, 0, 0], "wrong way round"),
    ],
)
def test_falls_back_to_a_shift_and_says_why(d, y, reason):
    calibrator = SplineCalibrator().fit(d, y)
    assert reason in calibrator.fallback_
    assert calibrator.slope_ == 1
    bads, goods = sum(y), len(y) - sum(y)
    smoothed = (bads * (bads + 1) / (bads + 2) + goods / (goods + 2)) / len(y)
    assert calibrator.probability(d).mean() == pytest.approx(smoothed, abs=1e-9)


def test_row_order_changes_no_bit():
    d, y, _ = bent(3, 3000)
    shuffled = np.random.default_rng(0).permutation(len(d))
    assert SplineCalibrator().fit(d, y).to_dict() == SplineCalibrator().fit(d[shuffled], y[shuffled]).to_dict()


@pytest.mark.parametrize(
    ("d", "y"), [([], []), ([1.0], [0, 1]), ([np.nan, 1], [0, 1]), ([0.0, 1], [0, 2]), ([0.0, 1], [0, None])]
)
def test_refuses(d, y):
    with pytest.raises(ModelFitError):
        SplineCalibrator().fit(d, y)
