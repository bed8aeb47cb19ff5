"""The portfolio's figures are those of the views in report.*, of the current revision and of a replaced one."""

from collections import Counter

import psycopg
import pytest

from pipeline.console import portfolio
from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.warehouse.reader import reading
from tests.support.console import SEPTEMBER
from tests.support.records.indices import OCTOBER


@pytest.fixture(scope="module")
def settings(console_warehouse):
    return reading(console_warehouse)


@pytest.fixture(scope="module")
def query(console_warehouse):
    def run(statement, *parameters):
        url = console_warehouse.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            return connection.execute(statement, parameters).fetchall()

    return run


def test_customers_by_grade_are_those_of_the_report(settings, query):
    rows = query(
        "select segment, grade, customers, mean_score, expected_defaults from report.portfolio_summary "
        "where rating_month = %s",
        OCTOBER.first_day,
    )
    found = portfolio.portfolio(settings, OCTOBER)
    assert found.by("segment", "grade") == {(segment, grade): n for segment, grade, n, _, _ in rows}
    assert found.customers == sum(n for _, _, n, _, _ in rows) == 45
    assert found.expected_defaults == pytest.approx(sum(row[4] for row in rows), rel=1e-12)
    assert found.mean_score == pytest.approx(sum(n * mean for _, _, n, mean, _ in rows) / 45, rel=1e-12)


def test_moves_are_those_of_the_report(settings, query):
    rows = query(
        "select from_state, to_state, customers from report.grade_migration where rating_month = %s", OCTOBER.first_day
    )
    before = portfolio.portfolio(settings, SEPTEMBER)
    assert portfolio.portfolio(settings, OCTOBER).moves(before) == {(was, now): n for was, now, n in rows}


def test_a_customer_who_is_gone_has_closed(settings):
    """The evil ones are in October alone: seen from there, September has lost nobody, and October would lose five."""
    september, october = (portfolio.portfolio(settings, month) for month in (SEPTEMBER, OCTOBER))
    assert sum(n for (was, _), n in october.moves(september).items() if was == "new") == 5
    fewer = portfolio.Portfolio(october.publication, tuple(c for c in october.cells if c.previous_grade != "AAA"))
    lost = sum(n for (_, now), n in fewer.moves(september).items() if now == "closed")
    assert lost == september.by("grade")["AAA"]


def test_up_and_down_follow_the_scale(settings, policy):
    found = portfolio.portfolio(settings, OCTOBER)
    rank = {name: place for place, name in enumerate(policy.grades.names)}
    moved: Counter = Counter()
    for (was, now), number in found.by("previous_grade", "grade").items():
        if was is not None and was != now:
            moved["up" if rank[now] < rank[was] else "down"] += number
    assert found.up_and_down(policy.grades.names) == (moved["up"], moved["down"])
    assert sum(moved.values()) > 0


def test_a_replaced_revision_can_still_be_looked_at(settings):
    first, second = (portfolio.portfolio(settings, OCTOBER, revision) for revision in (1, 2))
    assert first.publication.superseded_at is not None
    assert first.customers == second.customers
    assert first.by("previous_grade", "grade") != second.by("previous_grade", "grade")


@pytest.mark.parametrize(("month", "revision"), [(RatingMonth(2025, 1), None), (OCTOBER, 9)])
def test_what_is_not_published_is_reported(settings, month, revision):
    with pytest.raises(NotPublishedError, match=f"nothing is published for {month}"):
        portfolio.portfolio(settings, month, revision)
