"""The rating month."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MonthError
from pipeline.month import RatingMonth

MONTHS = st.builds(RatingMonth, st.integers(1900, 9998), st.integers(1, 12))
ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"])


@given(MONTHS)
def test_a_month_reads_back_what_it_writes(month):
    assert RatingMonth.parse(str(month)) == month
    assert RatingMonth.of(month.first_day) == month


@given(MONTHS, st.integers(-2000, 2000))
def test_months_add_and_subtract_as_one_expects(month, months):
    later = RatingMonth(5000, 1) + months
    assert later - RatingMonth(5000, 1) == months
    assert later - months == RatingMonth(5000, 1)
    assert (month + 12).first_day == month.first_day.replace(year=month.year + 1)
    assert month < month + 1
    assert str(month) < str(month + 1)


@given(MONTHS, st.integers(-3, 40))
def test_a_span_holds_both_ends_and_every_month_between(first, months):
    span = list(RatingMonth.span(first, first + months))
    assert len(span) == max(0, months + 1)
    assert all(later - earlier == 1 for earlier, later in pairwise(span))


@given(MONTHS, ZONES)
def test_the_cutoff_is_the_first_instant_of_the_next_month_where_the_utility_is(month, zone):
    cutoff = month.cutoff(zone)
    assert (cutoff.date(), cutoff.hour, cutoff.minute) == ((month + 1).first_day, 0, 0)
    assert (month - 1).cutoff(zone) < cutoff


def test_the_cutoff_of_a_utility_east_of_greenwich_is_earlier():
    assert RatingMonth(2026, 2).cutoff("Asia/Shanghai") == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert RatingMonth(2024, 2).cutoff("UTC") == datetime(2024, 3, 1, tzinfo=UTC)
    assert RatingMonth.of(date(2024, 2, 29)) == RatingMonth(2024, 2)


NO_MONTHS = [
    "2026-13",
    "2026-00",
    "2026-1",
    "26-10",
    "2026-10-01",
    "\N{ARABIC-INDIC DIGIT TWO}026-10",
    "2026/10",
    " 2026-10",
    "1899-12",
    "9999-01",
    "",
    None,
]


@pytest.mark.parametrize("text", NO_MONTHS)
def test_anything_else_is_refused_in_one_line_that_says_how_to_write_it(text):
    with pytest.raises(MonthError, match=r"is not a rating month: write it as YYYY-MM, for example 2026-10$") as raised:
        RatingMonth.parse(text)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=8) | st.from_regex(r"\d{4}-\d{2}", fullmatch=True))
def test_no_text_is_read_as_another_month_than_it_says(text):
    try:
        month = RatingMonth.parse(text)
    except MonthError:
        return
    assert str(month) == text
