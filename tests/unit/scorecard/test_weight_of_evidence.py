import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.scorecard import ModelFitError, WoeBins
from pipeline.scorecard.weight_of_evidence import DIRECTIONS

GAP = float("nan")


def drawn(seed, rows=4000):
    """Values with gaps and two codes, and defaults that grow likelier with the value."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(1, rows)
    y = (rng.logistic(size=rows) < -2.5 + x).astype(int)
    x[rng.random(rows) < 0.3] = GAP
    x[rng.random(rows) < 0.02] = 96
    return x, y


def test_worth_is_the_textbook_log_of_shares_but_for_the_smoothing():
    x = np.repeat([1.0, 2.0], 500)
    y = np.concatenate([np.arange(500) < 50, np.arange(500) < 200]).astype(int)
    bins = WoeBins.fit(x, y)
    assert bins.edges == (1.0,)
    goods, bads, extra = np.array([450, 300]) / 750, np.array([50, 200]) / 250, 1 / 250
    np.testing.assert_allclose(bins.woe, np.log((goods + extra) / (bads + extra)), rtol=1e-12)
    np.testing.assert_allclose(bins.woe, np.log(goods / bads), atol=0.02)
    assert bins.information_value == pytest.approx(((goods - bads) * bins.woe).sum(), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.integers(-5, 20).map(float), st.just(GAP), st.just(96.0)), st.integers(0, 1)),
        min_size=2,
        max_size=120,
    ),
    direction=st.sampled_from(["+", "-", None]),
    min_share=st.floats(0.01, 0.3),
)
def test_bins_are_monotone_finite_and_cover_everything(rows, direction, min_share):
    x, y = np.array(rows).T
    assume(0 < y.sum() < len(y))
    assume((~np.isnan(x) & (x != 96)).any())
    bins = WoeBins.fit(x, y, direction=direction, sentinels=(96,), min_share=min_share, max_bins=6)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins.woe) == len(bins.edges) + 1 <= 6
    steps = np.diff(bins.woe)
    assert (steps > 0).all() or (steps < 0).all()
    if direction and len(steps):
        assert np.sign(steps[0]) == DIRECTIONS[direction]
    assert np.isfinite(bins.transform([GAP, 96, -1e300, 1e300, *x])).all()


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_order_and_keeps_gaps_and_codes_apart(seed):
    x, y = drawn(seed)
    bins = WoeBins.fit(x, y, sentinels=(96,))
    assert len(bins.woe) > 3
    assert (np.diff(bins.woe) < 0).all()
    assert bins.edges[-1] < 96
    goods, bads = (y == 0).sum(), (y == 1).sum()
    for of, rows in ((bins.missing, np.isnan(x)), (bins.sentinels[96], x == 96)):
        expected = np.log((y[rows] == 0).sum() / goods) - np.log((y[rows] == 1).sum() / bads)
        assert of == pytest.approx(expected, abs=0.1)


def test_a_bin_holds_its_edge_and_no_row_is_between_two():
    bins = WoeBins((1.0, 2.0), (0.5, 0.1, -0.4), 0.0, {96.0: 0.2}, 0.1)
    values = [0.5, 1.0, np.nextafter(1, 2), 2.0, 2.5, 96.0, GAP]
    assert bins.transform(values).tolist() == [0.5, 0.5, 0.1, 0.1, -0.4, 0.2, 0.0]


def test_few_rows_of_a_code_are_worth_little():
    x, y = drawn(1)
    x[:2], y[:2] = 98, 1
    of_two_defaults = WoeBins.fit(x, y, sentinels=(96, 98)).sentinels[98]
    assert -1.2 < of_two_defaults < 0


def test_what_training_had_no_gap_of_is_worth_the_bin_of_the_fill_or_the_median():
    x, y = drawn(2)
    usual = ~np.isnan(x)
    by_median = WoeBins.fit(x[usual], y[usual], sentinels=(96, 99))
    middle = np.median(x[usual & (x != 96)])
    assert by_median.missing == by_median.sentinels[99] == by_median.transform([middle])[0]
    by_fill = WoeBins.fit(x[usual], y[usual], sentinels=(96,), fill=1e6)
    assert by_fill.missing == by_fill.woe[-1] != by_median.missing


def test_an_order_against_the_declared_direction_leaves_one_bin():
    x, y = drawn(3)
    assert WoeBins.fit(x, y, direction="+", sentinels=(96,)).edges == ()


def test_row_order_changes_no_bit_and_json_brings_every_bit_back():
    x, y = drawn(4)
    shuffled = np.random.default_rng(0).permutation(len(x))
    bins = WoeBins.fit(x, y, sentinels=(96,))
    assert WoeBins.fit(x[shuffled], y[shuffled], sentinels=(96,)) == bins
    assert WoeBins.from_dict(json.loads(json.dumps(bins.to_dict(), allow_nan=False))) == bins


@pytest.mark.parametrize(
    ("x", "y", "message"), [([1, 2], [0, 0], "both defaults"), ([GAP, 96], [0, 1], "gaps and sentinels only")]
)
def test_refuses_what_cannot_be_binned(x, y, message):
    with pytest.raises(ModelFitError, match=message):
        WoeBins.fit(x, y, sentinels=(96,))
