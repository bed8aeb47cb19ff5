"""The cells of every revision hold what its rows say, and the views of them what they said of the rows."""

import pytest

from pipeline.resources import SQL
from pipeline.warehouse.migrations import migrate

# What the views said when they read the customers themselves, of the current revision of each month.
OF_THE_ROWS = {
    "month_summary": """
        select rating_month, count(*) as customers, avg(score) as mean_score,
            sum(default_probability) as expected_defaults, avg(default_probability) as mean_default_probability,
            count(*) filter (where rating_basis = 'default') as in_default,
            count(*) filter (where notch_change > 0) as upgrades,
            count(*) filter (where notch_change < 0) as downgrades
        from rating.credit_grades group by rating_month
    """,
    "grade_distribution": """
        select rating_month, grade, count(*) as customers, avg(score) as mean_score,
            sum(default_probability) as expected_defaults, avg(default_probability) as mean_default_probability
        from rating.credit_grades group by rating_month, grade
    """,
    "portfolio_summary": """
        select rating_month, segment, grade, count(*) as customers, avg(score) as mean_score,
            sum(default_probability) as expected_defaults
        from rating.credit_grades group by rating_month, segment, grade
    """,
    "expected_loss": """
        select g.rating_month, g.segment, coalesce(g.region, '') as region, count(*) as customers,
            avg(g.score) as mean_score, sum(g.default_probability) as expected_defaults, sum(u.revenue) as exposure,
            sum(g.default_probability * u.revenue) as expected_loss
        from rating.credit_grades as g
        left join rating.customer_groups as u on u.rating_month = g.rating_month and u.customer_id = g.customer_id
        group by 1, 2, 3
    """,
}


@pytest.fixture
def restated(databases, console_warehouse, tmp_path):
    """September, and October in two revisions, to be changed."""
    with databases(tmp_path / "restated", like=console_warehouse) as settings:
        yield settings


def rows(run, query: str) -> list[dict]:
    return run(f"select to_jsonb(r) from ({query}) as r")


def of_view(run, view: str, columns: list[str]) -> list[dict]:
    listed = ", ".join(columns)
    return [row for (row,) in rows(run, f"select {listed} from report.{view} where customers > 0")]


def in_order(found: list[dict], key: list[str]) -> list[dict]:
    return sorted(found, key=lambda row: [row[name] for name in key])


def assert_views_tell_the_rows(run) -> None:
    for view, query in OF_THE_ROWS.items():
        expected = [row for (row,) in rows(run, query)]
        columns = list(expected[0])
        key = [name for name in columns if name in ("rating_month", "grade", "segment", "region")]

        found = in_order(of_view(run, view, columns), key)
        assert len(found) == len(expected)
        for shown, counted in zip(found, in_order(expected, key), strict=True):
            assert shown == {
                name: pytest.approx(value, rel=1e-12) if isinstance(value, int | float) else value
                for name, value in counted.items()
            }


@pytest.fixture
def run(restated):
    """A statement in that warehouse."""
    import psycopg

    url = restated.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)

    def execute(query: str) -> list[tuple]:
        with psycopg.connect(url) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    return execute


def test_a_restated_month_is_told_by_the_revision_that_readers_see(run):
    assert_views_tell_the_rows(run)
    by_revision = run(
        "select p.rating_month, p.revision, sum(c.customers) = p.rows from ops.publications as p "
        "inner join rating.portfolio_cells as c on c.publication_id = p.publication_id "
        "group by 1, 2, p.rows order by 1, 2"
    )
    assert [(month.month, revision, whole) for month, revision, whole in by_revision] == [
        (9, 1, True),
        (10, 1, True),
        (10, 2, True),
    ]


def test_months_published_before_get_theirs_from_the_migration(restated, run):
    before = run("select * from rating.portfolio_cells order by 1, 2, 3 nulls first, 4, 5 nulls first, 6, 7")
    run("drop schema report cascade")
    run("create schema report")
    run("delete from ops.report_views")
    run("drop table rating.portfolio_cells")
    run("alter table ops.arrears_rebates drop column is_paid cascade")
    run("drop index ops.arrears_rebates_by_action")
    run("drop trigger follow_payment on ops.service_actions")
    run("drop trigger look_up_payment on ops.arrears_rebates")
    run("drop function ops.follow_payment, ops.look_up_payment, ops.is_sent")
    run((SQL / "warehouse" / "migrations" / "0013_portfolio_cells.sql").read_text())
    migrate(restated)
    after = run("select * from rating.portfolio_cells order by 1, 2, 3 nulls first, 4, 5 nulls first, 6, 7")
    assert [row[:8] for row in after] == [row[:8] for row in before]
    assert_views_tell_the_rows(run)
