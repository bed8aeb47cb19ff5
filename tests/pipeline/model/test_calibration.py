import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pipeline.model import ModelFitError, PlattCalibrator


def sample(seed, rows=2000, slope=1.0, intercept=-2.0):
    rng = np.random.default_rng(seed)
    d = rng.normal(0, 2, rows)
    return d, (rng.logistic(size=rows) < intercept + slope * d).astype(int)


def test_is_logistic_regression_once_there_are_many_rows():
    d, y = sample(1, rows=50_000, slope=0.7)
    ours = PlattCalibrator().fit(d, y)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(d[:, None], y)
    assert ours.slope_ == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert ours.intercept_ == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_probabilities_add_up_to_the_defaults_there_were():
    d, y = sample(2)
    assert PlattCalibrator().fit(d, y).probability(d).sum() == pytest.approx(y.sum(), abs=1)


@settings(max_examples=60, deadline=None)
@given(
    d=st.lists(st.floats(-50, 50), min_size=2, max_size=40),
    flips=st.integers(0, 2**40 - 1),
)
def test_orders_as_the_discriminant_whatever_the_sample(d, flips):
    y = [(flips >> i) & 1 for i in range(len(d))]
    calibrator = PlattCalibrator().fit(d, y)
    assert 0 < calibrator.slope_ < np.inf
    assert np.isfinite(calibrator.intercept_)
    assert (np.diff(calibrator.probability(np.sort(d))) >= 0).all()


@pytest.mark.parametrize("defaults", [1, 5, 500])
def test_separable_data_do_not_diverge(defaults):
    d = np.linspace(-5, 5, 1000)
    y = (np.arange(1000) >= 1000 - defaults).astype(int)
    calibrator = PlattCalibrator().fit(d, y)
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
    calibrator = PlattCalibrator().fit(d, y)
    assert reason in calibrator.fallback_
    assert calibrator.slope_ == 1
    bads, goods = sum(y), len(y) - sum(y)
    smoothed = (bads * (bads + 1) / (bads + 2) + goods / (goods + 2)) / len(y)
    assert calibrator.probability(d).mean() == pytest.approx(smoothed, abs=1e-9)


def test_row_order_changes_no_bit():
    d, y = sample(3)
    shuffled = np.random.default_rng(0).permutation(len(d))
    assert PlattCalibrator().fit(d, y).to_dict() == PlattCalibrator().fit(d[shuffled], y[shuffled]).to_dict()


@pytest.mark.parametrize(
    ("d", "y"), [([], []), ([1.0], [0, 1]), ([np.nan, 1], [0, 1]), ([0.0, 1], [0, 2]), ([0.0, 1], [0, None])]
)
def test_refuses(d, y):
    with pytest.raises(ModelFitError):
        PlattCalibrator().fit(d, y)
