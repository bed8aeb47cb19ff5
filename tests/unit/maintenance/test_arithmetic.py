"""Sums in test cases: what they are worth, and that nothing else is run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.maintenance.arithmetic import evaluate

numbers = st.decimals(0, 10**6, places=3).map(str)
sums = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda parts: f"({' '.join(parts)})"),
)


@given(sums)
def test_a_sum_is_worth_what_python_makes_of_it(text):
    assert evaluate(text) == pytest.approx(eval(text), rel=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" 2/3", 2 / 3),
        ("ln(1 + 400 / 2)", math.log(201)),
        ("sqrt(6 * 50 ** 2 / 5) / 100", 0.5477225575051661),
        ("-1", -1),
    ],
)
def test_division_powers_and_functions(text, value):
    assert evaluate(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "1 +", "1 if 1 else 2", "True", "'a' * 9", "1, 2", "[1][0]", "1 // 2", "(1).real", "max(1, 2)"),
        *("__import__('os').getcwd()", "ln(x=1)", "ln.__self__", "ln(0)", "1/0", "9 ** 9 ** 9 ** 9", "1e999"),
        *("(" * 500, "\0"),
    ],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match="is no number: write numbers with") as raised:
        evaluate(text)
    assert "\n" not in str(raised.value)
