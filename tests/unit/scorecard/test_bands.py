"""The parameter rating: letters, and the evaluation that agrees with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scorecard.bands import band, evaluation

number = st.one_of(st.floats(-10, 10), st.integers(-3, 3).map(float))
directions = st.sampled_from("+-")


@st.composite
def bounds_and_direction(draw):
    direction = draw(directions)
    return sorted(draw(st.lists(number, min_size=3, max_size=3)), reverse=direction == "+"), direction


def test_by_hand():
    rates = [1, 0.98, 0.94, 0.9, 0.75, 0.6, 0.1, np.nan]
    assert list(band(rates, (0.98, 0.9, 0.75), "+"))[:-1] == list("AABBCDD")
    expected = [1, 1, 5 / 6, 2 / 3, 1 / 3, 0, 0, np.nan]
    np.testing.assert_allclose(evaluation(rates, (0.98, 0.9, 0.75), "+"), expected, rtol=1e-12)
    days = [0, 7.5, 15, 45, 60, 75, 1000]
    assert list(band(days, (0, 15, 45), "-")) == list("ABBCDDD")
    np.testing.assert_allclose(
        evaluation(days, (0, 15, 45), "-"), [1, 5 / 6, 2 / 3, 1 / 3, 1 / 6, 0, 0], rtol=1e-12, atol=1e-15
    )


@given(values=st.lists(number, min_size=1, max_size=20), scale=bounds_and_direction())
def test_never_falls_where_a_value_gets_better_and_agrees_with_the_letter(values, scale):
    bounds, direction = scale
    values = np.sort(values)[:: 1 if direction == "+" else -1]
    found = evaluation(values, bounds, direction)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()
    for value, letter in zip(found, band(values, bounds, direction), strict=True):
        least = {"A": 1, "B": 2 / 3, "C": 1 / 3, "D": 0}[letter]
        assert value >= least - 1e-12
        assert letter == "A" or value < least + 1 / 3 + 1e-12


@pytest.mark.parametrize("direction", "+-")
def test_a_gap_has_neither(direction):
    assert list(band([np.nan], (0, 0, 0), direction).codes) == [-1]
    assert np.isnan(evaluation([np.nan], (0, 0, 0), direction)).all()
