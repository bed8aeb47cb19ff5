"""The views of sql/warehouse/reports over a few customers: what their figures are, and that they add up."""

import uuid
from collections import defaultdict

import psycopg
import pytest

from pipeline.month import RatingMonth
from pipeline.resources import SQL
from pipeline.warehouse.statements import statement

AUGUST, OCTOBER, NOVEMBER = RatingMonth(2026, 8), RatingMonth(2026, 10), RatingMonth(2026, 11)
# Customer: grade, and default where that is what made it. Nothing is published for September.
GRADED = {
    AUGUST: {"c1": "A", "c2": "B", "c3": "D default", "c4": "A", "c5": "C"},
    OCTOBER: {"c1": "A", "c2": "A", "c3": "C", "c4": "D default", "c6": "B"},
    NOVEMBER: {"c1": "A", "c2": "D", "c3": "A", "c4": "D default", "c7": "B", "c8": "B"},
}
# Customer: value, demand and behaviour group, stage, service and outage sensitivity, revenue. c6 closed in November.
GROUPED = {
    "c1": ("high", "quiet", "on time", "mature", 0.5, 0.1, 900),
    "c2": ("low", "quiet", "late", "decline", None, 0.2, 60),
    "c3": ("low", "quiet", "on time", "mature", 0.1, 0.3, 40),
    "c4": ("low", "quiet", "late", "mature", 0.3, None, 0),
    "c6": (None, None, None, "closed", None, None, 25),
    "c7": ("low", "quiet", "on time", "new", None, 0.9, 10),
    "c8": ("low", "quiet", "on time", "new", None, 0.4, 15.5),
}
MIGRATION = {
    OCTOBER: {
        ("A", "A"): (1, 0.5),
        ("A", "default"): (1, 0.5),
        ("B", "A"): (1, 1),
        ("C", "closed"): (1, 1),
        ("default", "C"): (1, 1),
        ("new", "B"): (1, 1),
    },
    NOVEMBER: {
        ("A", "A"): (1, 0.5),
        ("A", "D"): (1, 0.5),
        ("B", "closed"): (1, 1),
        ("C", "A"): (1, 1),
        ("default", "default"): (1, 1),
        ("new", "B"): (2, 1),
    },
}


@pytest.fixture(scope="module")
def report(databases, tmp_path_factory):
    """``report("select ...")`` in a warehouse where these months are published."""
    with databases(tmp_path_factory.mktemp("reports")) as settings:
        url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            scale = '{"grades": {"names": ["A", "B", "C", "D", "E"]}}'
            connection.execute("insert into ops.policies (policy_sha256, document) values ('p', %s)", [scale])
            for month, customers in GRADED.items():
                publish(connection, month, customers, GROUPED if month == NOVEMBER else {})
            connection.commit()
            yield lambda query, *values: connection.execute(query, values or None).fetchall()


def publish(connection, month, graded, grouped) -> None:
    first = month.first_day
    publications = [(1, uuid.uuid4(), "2026-12-02"), (2, uuid.uuid4(), None)]
    for revision, publication, superseded in publications:
        connection.execute(
            "insert into ops.publications (publication_id, rating_month, revision, basis, rows, content_sha256, "
            "input_sha256, policy_sha256, model_sha256, model_versions, run_id, run_kind, is_latest_month, "
            "published_at, superseded_at) values (%s, %s, %s, 'as_known_then', %s, 'c', 'i', 'p', 'm', '{}', 'r', "
            "'command', true, '2026-12-01', %s)",
            (publication, first, revision, len(graded), superseded),
        )
    for table in ("credit_grades", "customer_groups", "group_profiles"):
        connection.execute(
            f"create table rating.{table}_{month.year}_{month.month:02} partition of rating.{table} "
            f"for values from ('{first}') to ('{(month + 1).first_day}')"
        )
    for customer, state in graded.items():
        grade, _, default = state.partition(" ")
        number = int(customer[1])
        region = "north" if number <= 3 else "south"
        reasons = ("P1", "P4") if number <= 3 else ("P4", "P1") if number == 4 else (None, None)
        connection.execute(
            "insert into rating.credit_grades (rating_month, customer_id, segment, region, score, default_probability, "
            "grade, rating_basis, reason_1, reason_2, model_version, publication_id) "
            "values (%s, %s, 'residential', %s, %s, 0.25, %s, %s, %s, %s, 'v', %s)",
            (first, customer, region, 500 + number, grade, default or "model", *reasons, publication),
        )
    if grouped:
        connection.execute(
            "insert into rating.index_definitions (index_name, code, reason_en, reason_zh) "
            "values ('on_time', 'P1', 'late', '晚')"
        )
        for region, overdue in (("north", 20), ("south", 10)):
            connection.execute(
                "insert into ops.receivables (rating_month, segment, region, billed, collected, receivable, overdue, "
                "publication_id) values (%s, 'residential', %s, 50, 45, 40, %s, %s)",
                (first, region, overdue, publication),
            )
    for customer, (value, demand, behaviour, *others) in grouped.items():
        name = ", ".join((value, demand, behaviour)) if value else "closed"
        connection.execute(
            "insert into rating.customer_groups (rating_month, customer_id, segment, value_group, demand_group, "
            "behaviour_group, group_name, life_cycle_stage, service_sensitivity, outage_sensitivity, revenue, "
            "publication_id) values (%s, %s, 'residential', %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (first, customer, value, demand, behaviour, name, *others, publication),
        )
    partitions = {"grades": f"credit_grades_{month.year}_{month.month:02}"}
    partitions["groups"] = partitions["grades"].replace("credit_grades", "customer_groups")
    cells = statement("publications/portfolio_cells", **partitions)
    connection.execute(f"insert into rating.portfolio_cells select %s, c.* from ({cells}) as c", [publication])


def test_a_move_is_between_published_months_with_those_who_came_and_went(report):
    rows = report(
        "select rating_month, previous_month, from_state, to_state, customers, share from report.grade_migration"
    )
    found = defaultdict(dict)
    for month, previous, before, after, customers, share in rows:
        assert previous == {OCTOBER: AUGUST, NOVEMBER: OCTOBER}[RatingMonth.of(month)].first_day
        found[RatingMonth.of(month)][before, after] = (customers, float(share))
    assert found == MIGRATION


def test_migration_ties_to_both_months(report):
    states = "case when rating_basis = 'default' then 'default' else grade end"
    for month, before in ((OCTOBER, AUGUST), (NOVEMBER, OCTOBER)):
        for side, other, at in (("from_state", "new", before), ("to_state", "closed", month)):
            moved = report(
                f"select {side}, sum(customers) from report.grade_migration "
                f"where rating_month = %s and {side} <> %s group by 1",
                month.first_day,
                other,
            )
            counted = report(
                f"select {states}, count(*) from report.grade_history where rating_month = %s group by 1", at.first_day
            )
            assert dict(moved) == dict(counted)
    assert report(
        "select count(*) from (select sum(share) as share from report.grade_migration "
        "group by rating_month, from_state) as rows where round(share, 12) <> 1"
    ) == [(0,)]


def test_a_month_of_migration_reads_the_two_months_it_is_about(report):
    plan = report(
        "explain (analyze, format text) select * from report.grade_migration where rating_month = %s", OCTOBER.first_day
    )
    scanned = {
        line.split(" on credit_grades_")[1][:7]
        for (line,) in plan
        if " on credit_grades_" in line and "never" not in line
    }
    assert scanned == {"2026_08", "2026_10"}


def test_stages_have_customers_shares_and_revenue(report):
    rows = report(
        "select segment, life_cycle_stage, customers, share::float, revenue::float, mean_revenue::float "
        "from report.life_cycle where rating_month = %s order by 2",
        NOVEMBER.first_day,
    )
    assert rows == [
        ("residential", "closed", 1, pytest.approx(1 / 7), 25, 25),
        ("residential", "decline", 1, pytest.approx(1 / 7), 60, 60),
        ("residential", "mature", 3, pytest.approx(3 / 7), 940, pytest.approx(940 / 3)),
        ("residential", "new", 2, pytest.approx(2 / 7), 25.5, 12.75),
    ]


def test_groups_have_customers_shares_and_grades(report):
    rows = report(
        "select group_name, customers, share::float, revenue::float, revenue_share::float, mean_score, "
        "mean_default_probability, expected_defaults from report.customer_groups order by 1"
    )
    assert rows == [
        ("high, quiet, on time", 1, pytest.approx(1 / 6), 900, pytest.approx(900 / 1025.5), 501, 0.25, 0.25),
        ("low, quiet, late", 2, pytest.approx(2 / 6), 60, pytest.approx(60 / 1025.5), 503, 0.25, 0.5),
        ("low, quiet, on time", 3, 0.5, 65.5, pytest.approx(65.5 / 1025.5), 506, 0.25, 0.75),
    ]
    assert report("select distinct rating_month from report.customer_groups") == [(NOVEMBER.first_day,)]
    assert report(
        "select group_name, grade, grade_ordinal, customers, share::float from report.group_grades order by 1, 3"
    ) == [
        ("high, quiet, on time", "A", 1, 1, 1),
        ("low, quiet, late", "D", 4, 2, 1),
        ("low, quiet, on time", "A", 1, 1, pytest.approx(1 / 3)),
        ("low, quiet, on time", "B", 2, 2, pytest.approx(2 / 3)),
    ]


def test_sensitivities_by_group_leave_out_who_has_none(report):
    rows = report(
        "select group_name, customers, service_rated, mean_service_sensitivity, service_sensitive_share::float, "
        "outage_rated, mean_outage_sensitivity, outage_sensitive_share::float "
        "from report.service_sensitivity where rating_month = %s order by 1",
        NOVEMBER.first_day,
    )
    # Nine tenths lie below 0.46 (of 0.1, 0.3, 0.5) and below 0.7 (of 0.1, 0.2, 0.3, 0.4, 0.9).
    assert rows == [
        ("high, quiet, on time", 1, 1, 0.5, 1, 1, 0.1, 0),
        ("low, quiet, late", 2, 1, 0.3, 0, 1, 0.2, 0),
        ("low, quiet, on time", 3, 1, 0.1, 0, 3, pytest.approx(1.6 / 3), pytest.approx(1 / 3)),
    ]


def test_the_summary_of_the_portfolio_ties_to_the_grades(report):
    assert report(
        "select rating_month, sum(customers), round(sum(share), 12) from report.portfolio_summary group by 1 order by 1"
    ) == [(month.first_day, len(customers), 1) for month, customers in GRADED.items()]
    assert report("select count(*), min(rating_month) from report.current_grades") == [(6, NOVEMBER.first_day)]
    assert report("select count(*) from report.grade_history") == [(16,)]


def test_the_first_comment_of_every_view_says_what_a_row_is(report):
    views = report(
        "select viewname, obj_description(format('report.%I', viewname)::regclass) "
        "from pg_views where schemaname = 'report'"
    )
    assert {name for name, _ in views} == {path.stem for path in (SQL / "warehouse" / "reports").glob("*.sql")}
    assert [name for name, comment in views if not comment.startswith(("One row a ", "One row an "))] == []


def test_every_column_of_every_view_says_what_it_is(report):
    assert (
        report(
            "select c.relname, a.attname from pg_class as c "
            "inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 "
            "where c.relnamespace = 'report'::regnamespace and col_description(c.oid, a.attnum) is null"
        )
        == []
    )


def test_no_view_has_a_column_that_a_table_of_rows_could_not_hold(report):
    kinds = report("select distinct data_type from information_schema.columns where table_schema = 'report'")
    assert not {kind for (kind,) in kinds} & {"json", "jsonb", "ARRAY"}


def test_every_view_with_a_grade_tells_its_place(report):
    columns = defaultdict(set)
    for view, column in report(
        "select table_name, column_name from information_schema.columns where table_schema = 'report'"
    ):
        columns[view].add(column)
    assert [view for view, names in columns.items() if "grade" in names and "grade_ordinal" not in names] == []
    assert report("select distinct grade, grade_ordinal from report.grade_history order by 2") == [
        (grade, place + 1) for place, grade in enumerate("ABCD")
    ]
    assert report(
        "select to_state, to_ordinal from report.grade_migration where rating_month = %s group by 1, 2 order by 2",
        NOVEMBER.first_day,
    ) == [("A", 1), ("B", 2), ("D", 4), ("default", 98), ("closed", 99)]


def test_a_grade_of_nobody_counts_nobody(report):
    found = report(
        "select grade, customers, share::float from report.grade_distribution "
        "where rating_month = %s order by grade_ordinal",
        NOVEMBER.first_day,
    )
    third = pytest.approx(2 / 6)
    assert found == [("A", 2, third), ("B", 2, third), ("C", 0, 0), ("D", 2, third), ("E", 0, 0)]


def test_a_month_is_summed_up_beside_the_one_published_before(report):
    columns = "customers, customers_change, in_default, in_default_change, mean_score, overdue, recovery_rate::float"
    first, second, third = report(f"select {columns} from report.month_summary order by rating_month")
    assert first == (5, None, 1, None, 503, None, None)
    assert second == (5, 0, 1, 0, pytest.approx(503.2), None, None)
    assert third == (6, 1, 1, 0, pytest.approx(sum((1, 2, 3, 4, 7, 8)) / 6 + 500), 30, 0.9)


def test_expected_loss_is_probability_times_what_was_billed(report):
    assert report(
        "select segment, region, customers, exposure::float, expected_loss::float, overdue::float "
        "from report.expected_loss where rating_month = %s order by 2",
        NOVEMBER.first_day,
    ) == [("residential", "north", 3, 1000, 250, 20), ("residential", "south", 3, 25.5, 6.375, 10)]


def test_reasons_are_counted_whichever_place_they_have(report):
    found = report(
        "select place, code, reason_en, customers, first_customers, share::float from report.top_reasons "
        "where rating_month = %s order by place",
        NOVEMBER.first_day,
    )
    # P1 comes first with c1, c2 and c3, and second with c4; P4 first with c4, and second with the others.
    assert found == [
        (1, "P1", "late", 4, 3, pytest.approx(4 / 6)),
        (2, "P4", None, 4, 1, pytest.approx(4 / 6)),
    ]
    assert report(
        "select reason_1, reason_1_en, reason_1_zh, reason_2_en from report.current_grades where customer_id = 'c1'"
    ) == [("P1", "late", "晚", None)]
