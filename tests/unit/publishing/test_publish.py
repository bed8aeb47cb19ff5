"""Publishing: readers see the old revision or the new one, whatever happens to the run."""

import shutil
import signal
import threading
import time
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import AuditError, LakeError, MovesError, WarehouseUnavailableError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.publish import publish
from pipeline.settings import Settings
from pipeline.warehouse import locks, publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.environment import variables
from tests.support.records.groups import member, write_groups
from tests.support.records.sensitivity import write_sensitivity

OCTOBER = RatingMonth(2026, 10)
GRADES = ("AAA", "AA", "A", "B", "C", "D")


def customer(number, **changes):
    return {
        "customer_id": f"C{number:04d}",
        "segment": "residential",
        "region": "north",
        "score": 600.0 + number / 7,
        "default_probability": 0.01 + number / 1e6,
        "model_grade": GRADES[number % len(GRADES)],
        "grade": GRADES[number % len(GRADES)],
        "previous_grade": None,
        "notch_change": None,
        "rating_basis": "model",
        "grade_rule": None,
        "rules_in_force": None,
        "quarantined_records": 0,
        "reason_1": 'P1, "late"\n',
        "reason_2": "",
        "reason_3": None,
        "reason_4": None,
        "model_version": "v1",
        **changes,
    }


def indices_of(customers, policy):
    return [
        {
            "customer_id": row["customer_id"],
            "is_thin_file": False,
            **{name: at / 3 if at % 4 else None for at, name in enumerate(policy.indices)},
            **{f"{name}_band": "B" if at % 4 else None for at, name in enumerate(policy.indices)},
        }
        for row in customers
    ]


ORIGIN = {"inputs": {}, "overrides_sha256": "o" * 64, "code_sha256": "c" * 64, "previous_publication_id": None}
KINDS = {"score": pa.float64(), "default_probability": pa.float64(), "notch_change": pa.int32()}
KINDS["quarantined_records"] = pa.int64()
SCHEMA = pa.schema([(name, KINDS.get(name, pa.string())) for name in customer(0)])


@pytest.fixture
def write(settings, policy):
    """Put graded customers, and their indices and groups unless others are given, into the lake."""

    def run(
        customers,
        month=OCTOBER,
        *,
        indices=None,
        groups=None,
        population=None,
        basis="as_known_then",
        files=1,
        **made_of,
    ):
        lake = Lake(settings.lake_path)
        indices = indices_of(customers, policy) if indices is None else indices
        tables = {"grades": pa.Table.from_pylist(customers, SCHEMA), "indices": pa.Table.from_pylist(indices)}
        for name, table in tables.items():
            with lake.writing(name, rating_month=month, basis=basis) as partition:
                for part in range(files):
                    pq.write_table(
                        table.take(list(range(part, len(table), files))), partition.folder / f"part-{part}.parquet"
                    )
                partition.manifest(
                    rows=len(table),
                    population=len(customers) if population is None else population,
                    input_sha256="i" * 64,
                    policy_sha256=policy.sha256,
                    rating_policy_sha256=policy.rating_sha256,
                    model_versions={"residential": "v1"},
                    **ORIGIN | {"known_in": str(month)} | made_of,
                )
        members = [member(row["customer_id"]) for row in customers] if groups is None else groups
        write_groups(lake, members, month, basis=basis)
        write_sensitivity(lake, month, basis=basis)

    return run


def run(settings, policy, month=OCTOBER, **options):
    return publish(month, settings, policy, **{"run_id": "test", "run_kind": "command", **options})


def patient(policy, **changes):
    return policy.model_copy(update={"publish": policy.publish.model_copy(update=changes)})


@contextmanager
def connected(settings, **options):
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, **options) as connection:
        yield connection


def staged_tables(sql):
    return sql(
        "select relname from pg_class where relnamespace = 'rating'::regnamespace and relkind = 'r' "
        "and relname ~ '_r[0-9]+$' and not relispartition order by 1"
    )


def test_what_is_in_the_lake_is_what_readers_see(settings, policy, sql, write):
    customers = [customer(number) for number in range(20)]
    write(customers)
    done = run(settings, policy, run_kind="scheduled")
    assert (done["changed"], done["revision"], done["rows"], done["is_latest_month"]) == (True, 1, 20, True)
    rows = sql(
        "select customer_id, score, default_probability, grade, reason_1, reason_2, reason_3, "
        "publication_id::text, rating_month::text from rating.credit_grades order by 1"
    )
    taken = ("customer_id", "score", "default_probability", "grade", "reason_1", "reason_2", "reason_3")
    assert rows == [(*(row[name] for name in taken), done["publication_id"], "2026-10-01") for row in customers]
    names = list(policy.indices)
    loaded = sql(f"select {', '.join(names)}, {names[1]}_band from rating.credit_indices limit 1")
    assert loaded == [(*(at / 3 if at % 4 else None for at in range(len(names))), "B")]
    groups = [member(row["customer_id"]) for row in customers]
    taken = ("customer_id", "group_name", "life_cycle_stage", "service_sensitivity", "outage_sensitivity", "revenue")
    loaded = sql(f"select {', '.join(taken)} from rating.customer_groups order by 1")
    assert loaded == [tuple(row[name] for name in taken) for row in groups]
    profiles = "select aspect, group_name, customers, revenue, centroid from rating.group_profiles order by 1"
    assert sql(profiles)[0] == ("behaviour", "pays on time", 20, Decimal("24010.00"), {"revenue": 7.091326})
    with transaction(settings) as connection:
        published = publications.current(connection, OCTOBER)
        assert published == publications.latest(connection)
    assert (published.basis, published.run_kind, published.rows) == ("as_known_then", "scheduled", 20)
    assert published.content_sha256 == done["content_sha256"]
    assert published.model_versions == {"residential": "v1"}


def test_the_same_content_is_not_published_again(settings, policy, sql, write):
    customers = [customer(number) for number in range(20)]
    write(customers)
    first = run(settings, policy)
    write(customers[::-1], files=3)
    again = run(settings, policy)
    assert again == first | {"changed": False}
    assert sql("select count(*) from ops.publications") == [(1,)]
    write(customers, basis="as_known_now")
    assert run(settings, policy, basis="as_known_now")["revision"] == 2


def test_a_changed_row_makes_a_revision_and_the_old_one_is_kept(settings, policy, sql, write):
    customers = [customer(number) for number in range(20)]
    write(customers)
    run(settings, policy)
    customers[3]["score"] += 1e-9
    write(customers)
    assert run(settings, policy)["revision"] == 2
    query = "select score from rating.credit_grades{} where customer_id = 'C0003'"
    assert sql(query.format("")) == [(customers[3]["score"],)]
    assert sql(query.format("_2026_10_r1")) == [(customer(3)["score"],)]
    assert sql("select revision, superseded_at is null from ops.publications order by 1") == [(1, False), (2, True)]


def test_a_month_published_before_there_were_groups_gets_them_with_its_next_publication(settings, policy, sql, write):
    write([customer(number) for number in range(3)])
    run(settings, policy)
    for table in ("customer_groups", "group_profiles"):
        sql(f"drop table rating.{table}_2026_10_r1")
    sql("update ops.publications set content_sha256 = 'of grades and indices alone'")
    done = run(settings, policy)
    assert (done["changed"], done["revision"]) == (True, 2)
    assert sql("select count(*) from rating.customer_groups") == [(3,)]
    assert run(settings, policy) == done | {"changed": False}


def test_a_dry_run_says_what_would_change_and_changes_nothing(settings, policy, sql, write):
    customers = [customer(number, grade="A") for number in range(6)]
    write(customers)
    assert run(settings, policy, dry_run=True)["migration"] == [{"before": None, "after": "A", "customers": 6}]
    run(settings, policy)
    customers[0]["grade"] = "B"
    write([*customers[:5], customer(9, grade="C")])
    summary = run(settings, policy, dry_run=True)
    assert summary["changed"]
    assert summary["grades"] == {"A": 4, "B": 1, "C": 1}
    moves = {(move["before"], move["after"]): move["customers"] for move in summary["migration"]}
    assert moves == {("A", "A"): 4, ("A", "B"): 1, ("A", None): 1, (None, "C"): 1}
    assert sql("select revision from ops.publications") == [(1,)]
    assert staged_tables(sql) == []


def test_months_published_out_of_order_know_whether_they_were_the_latest(settings, policy, sql, write):
    for month in (OCTOBER, OCTOBER - 2, OCTOBER - 1, OCTOBER + 1):
        write([customer(number) for number in range(5)], month)
        run(settings, policy, month)
    assert sql("select rating_month::text, is_latest_month from ops.publications order by published_at") == [
        ("2026-10-01", True),
        ("2026-08-01", False),
        ("2026-09-01", False),
        ("2026-11-01", True),
    ]
    assert sql("select distinct rating_month::text from report.current_grades") == [("2026-11-01",)]
    assert sql("select count(distinct rating_month) from report.grade_history") == [(4,)]
    [(plan,)] = sql("explain (format json) select * from rating.credit_grades where rating_month = '2026-09-01'")
    assert "2026_09" in str(plan)
    assert "2026_10" not in str(plan)


def test_reports_add_up(settings, policy, sql, write):
    write([customer(number, default_probability=0.25) for number in range(12)])
    run(settings, policy)
    shown = (
        "select grade, customers, round(share, 4)::float, expected_defaults from report.portfolio_summary order by 1"
    )
    assert sql(shown) == [(grade, 2, 0.1667, 0.5) for grade in sorted(GRADES)]


AUDITED = {
    "a customer is missing": (dict(population=21), "credit_grades has 20 rows for a population of 21"),
    "a customer is there twice": (
        dict(customers=[customer(1), customer(1)]),
        "credit_grades has 2 rows for 1 different values of customer_id",
    ),
    "no grade": (dict(customers=[customer(1, grade=None)]), "1 customers have no grade"),
    "no score": (dict(customers=[customer(1, score=None)]), "1 customers have no finite score"),
    "infinite score": (dict(customers=[customer(1, score=float("inf"))]), "1 customers have no finite score"),
    "no probability": (
        dict(customers=[customer(1, default_probability=1.5), customer(2, default_probability=None)]),
        "2 default probabilities are not between 0 and 1",
    ),
    "off the scale": (dict(customers=[customer(1, grade="E")]), "1 grades are not on the policy's scale, such as 'E'"),
    "unknown basis": (dict(customers=[customer(1, rating_basis="guess")]), "rating_basis"),
    "no segment": (dict(customers=[customer(1, segment=None)]), "segment"),
    "a customer without a group": (
        dict(groups=[member(f"C{number:04}") for number in range(19)]),
        "1 graded customers have no group",
    ),
    "a customer who is gone has a grade": (
        dict(
            groups=[member(f"C{number:04}", life_cycle_stage=("closed" if number else "new")) for number in range(20)]
        ),
        "19 graded customers have no group",
    ),
    "a group without a grade": (
        dict(groups=[member(f"C{number:04}") for number in range(21)]),
        "1 customers with a group have no grade",
    ),
    "two groups": (
        dict(groups=[member(f"C{max(number, 1):04}") for number in range(20)]),
        "customer_groups has 20 rows for 19 different values of customer_id",
    ),
    "no group name": (
        dict(groups=[member(f"C{number:04}", group_name=None) for number in range(20)]),
        "group_name",
    ),
    "unknown stage": (
        dict(groups=[member(f"C{number:04}", life_cycle_stage="retired") for number in range(20)]),
        "does not take the rows of customer_groups",
    ),
    "text that is not text": (dict(customers=[customer(1, region="a\0b")]), "does not take the rows of credit_grades"),
}


@pytest.mark.parametrize("case", AUDITED)
def test_the_audit_keeps_readers_on_the_last_good_revision(settings, policy, sql, write, case):
    write([customer(number) for number in range(20)])
    run(settings, policy)
    changes, complaint = AUDITED[case]
    write(**{"customers": [customer(number, score=1.0) for number in range(20)], **changes})
    with pytest.raises(AuditError) as raised:
        run(settings, policy)
    assert complaint in str(raised.value)
    assert str(raised.value).startswith("2026-10")
    assert "\n" not in str(raised.value)
    assert sql("select count(*), min(revision), max(revision) from report.current_grades") == [(20, 1, 1)]
    assert staged_tables(sql) == []


def test_the_audit_compares_customers_and_lists_all_it_found(settings, policy, write):
    customers = [customer(number) for number in range(5)]
    others = indices_of([*customers[:3], customer(8), customer(9)], policy)
    others[0]["arrears_ratio"] = float("nan")
    write([*customers[:4], customer(4, grade="Z")], indices=others)
    with pytest.raises(AuditError) as raised:
        run(settings, policy)
    for complaint in (
        "2 graded customers have no indices",
        "2 customers with indices have no grade",
        "arrears_ratio has values that are not finite",
        "such as 'Z'",
    ):
        assert complaint in str(raised.value)


def test_the_audit_finds_rows_that_changed_on_the_way(settings, policy, sql, write, monkeypatch):
    write([customer(number) for number in range(20)])

    def tampering(connection, table, publication, batches, stage=revisions.stage):
        stage(connection, table, publication, batches)
        if table == "credit_grades":
            sql("update rating.credit_grades_2026_10_r1 set score = score + 1, grade = 'D' where customer_id = 'C0000'")

    monkeypatch.setattr(revisions, "stage", tampering)
    with pytest.raises(AuditError, match=r"4 customers have grade D, in the lake 3.*score has 20 values that sum to"):
        run(settings, policy)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            "update rating.customer_groups_2026_10_r1 set revenue = 0",
            r"revenue has 20 values that sum to 0, in the lake 20",
        ),
        (
            "delete from rating.group_profiles_2026_10_r1 where aspect = 'value'",
            "group_profiles has 2 rows, in the lake 3",
        ),
    ],
)
def test_the_audit_looks_at_every_table(settings, policy, sql, write, monkeypatch, change, complaint):
    write([customer(number) for number in range(20)])

    def tampering(connection, staged, index=revisions.index):
        sql(change)
        return index(connection, staged)

    monkeypatch.setattr(revisions, "index", tampering)
    with pytest.raises(AuditError, match=complaint):
        run(settings, policy)


def test_customers_who_closed_have_a_group_and_no_grade(settings, policy, sql, write):
    customers = [customer(number) for number in range(3)]
    gone = member("C0009", life_cycle_stage="closed", group_name="closed", value_group=None)
    write(customers, groups=[*(member(row["customer_id"]) for row in customers), gone])
    run(settings, policy)
    assert sql("select count(*) from rating.customer_groups where group_name = 'closed'") == [(1,)]


def test_groups_of_other_records_than_the_grades_are_not_published(settings, policy, write):
    write([customer(1)])
    write_groups(Lake(settings.lake_path), [member("C0001")], OCTOBER, input_sha256="o" * 64)
    with pytest.raises(
        AuditError, match=r"^2026-10 is not published, .*groups were made from other records than grades"
    ):
        run(settings, policy)


def test_a_grade_that_swells_is_questioned_unless_there_are_few_customers(settings, policy, write):
    write([customer(number) for number in range(240)], OCTOBER - 1)
    run(settings, policy, OCTOBER - 1)
    write([customer(number, grade="D") for number in range(240)])
    with pytest.raises(
        AuditError, match=r"the share of grade D goes from 16.7% in 2026-09 to 100.0%, more than policy"
    ):
        run(settings, policy)
    assert run(settings, patient(policy, min_rows_for_share_check=241))["changed"]


def test_a_published_month_moves_no_further_than_the_policy_lets_it_unless_a_person_agrees(
    settings, policy, sql, write
):
    customers = [customer(number, grade="B") for number in range(240)]
    write(customers)
    run(settings, policy)
    for one in customers[:25]:
        one["grade"] = "A"
    write(customers)
    would = run(settings, policy, dry_run=True)
    assert (would["totals"]["moved"], would["published"]["revision"]) == (25, 1)
    with pytest.raises(MovesError) as raised:
        run(settings, policy)
    assert str(raised.value) == (
        "2026-10 is not published, readers keep what they see: 25 of 240 customers (10.4%) would get another grade, "
        "more than policy publish.max_moved_share 10.0%: look at gridgrade diff, and if that is right run again with "
        "--accept-moves (in Airflow the param accept_moves)"
    )
    assert would["stops"] in str(raised.value)
    assert sql("select count(*), max(revision) from report.current_grades where grade = 'B'") == [(240, 1)]
    assert staged_tables(sql) == []
    assert run(settings, policy, accept_moves=True)["revision"] == 2
    customers[0]["grade"] = "C"
    write(customers)
    run(settings, policy)
    moves = sql("select revision, moved, moves_accepted from ops.publications order by 1")
    assert moves == [(1, None, None), (2, 25, True), (3, 1, False)]


def test_few_customers_may_move_as_they_like(settings, policy, write):
    write([customer(number, grade="B") for number in range(10)])
    run(settings, policy)
    write([customer(number, grade="A") for number in range(10)])
    assert run(settings, policy)["revision"] == 2


def test_a_publication_says_who_made_it_and_from_what(settings, policy, sql, write):
    write([customer(number) for number in range(5)])
    done = run(settings, policy, run_id="r1", published_by="ana")
    [row] = sql(
        "select run_id, published_by, known_in::text, p.policy_sha256, document, partitions, taken_over, "
        "previous_publication_id, confirmed_at = published_at "
        "from ops.publications as p "
        "inner join ops.policies using (policy_sha256) inner join ops.inputs using (input_sha256)"
    )
    assert row == ("r1", "ana", "2026-10-01", policy.sha256, policy.model_dump(mode="json"), {}, {}, None, True)
    assert sql("select published_by, revision, policy_sha256 from report.publications") == [("ana", 1, policy.sha256)]

    write([customer(number) for number in range(5)], overrides_sha256="others")
    again = run(settings, policy, run_id="r2", published_by="ben")
    assert again == done | {"changed": False}
    [(recipe, confirmed)] = sql("select recipe_sha256, confirmed_at > published_at from ops.publications")
    assert confirmed
    run(settings, policy)
    assert sql("select recipe_sha256 from ops.publications") == [(recipe,)]


def test_what_another_run_made_in_between_is_not_published(settings, policy, sql, write):
    customers = [customer(number) for number in range(5)]
    write(customers, made_from={"indices": "those of another run"})
    with pytest.raises(AuditError, match=r"grades were made from other indices than are there now: run every step"):
        run(settings, policy)
    assert sql("select count(*) from ops.publications") == [(0,)]


def test_readers_see_the_old_or_the_new_and_nothing_between(settings, policy, sql, write):
    write([customer(number, score=0.0) for number in range(300)])
    run(settings, policy)
    seen, failures, stop = set(), [], threading.Event()

    def read(query):
        try:
            with connected(settings, autocommit=True) as connection:
                while not stop.is_set():
                    seen.add(connection.execute(query).fetchone())
        except Exception as error:
            failures.append(error)

    of_both = (
        "select count(*), min(g.score), max(g.score), count(distinct g.publication_id) from report.current_grades as r "
        "inner join rating.credit_grades as g using (rating_month, customer_id) "
        "inner join rating.credit_indices as i using (rating_month, customer_id) "
        "inner join rating.customer_groups as c using (rating_month, customer_id) "
        "inner join rating.group_profiles as p using (rating_month) "
        "where p.aspect = 'value' and r.score = g.score "
        "and g.publication_id = all (array[i.publication_id, c.publication_id, p.publication_id])"
    )
    of_report = "select count(*), min(score), max(score), count(distinct revision) from report.current_grades"
    readers = [threading.Thread(target=read, args=(query,)) for query in (of_both, of_report)]
    for reader in readers:
        reader.start()
    for revision in range(1, 6):
        write([customer(number, score=float(revision)) for number in range(300)])
        run(settings, policy)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert seen <= {(300, float(revision), float(revision), 1) for revision in range(6)}
    assert len(seen) > 1


def test_a_transaction_older_than_the_revision_does_not_find_the_month_empty(settings, policy, write):
    write([customer(number, score=1.0) for number in range(10)])
    run(settings, policy)
    write([customer(number, score=2.0) for number in range(10)])
    with connected(settings) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("select count(*) from rating.models")
        run(settings, policy)
        assert reader.execute("select count(*), max(score) from report.current_grades").fetchone() == (10, 2.0)


def test_a_reader_who_stays_is_named_when_publishing_gives_up(settings, policy, sql, write):
    write([customer(number, score=1.0) for number in range(10)])
    run(settings, policy)
    write([customer(number, score=2.0) for number in range(10)])
    with connected(settings, application_name="a long report") as reader:
        [(pid,)] = reader.execute("select pg_backend_pid() from rating.credit_grades limit 1").fetchall()
        with pytest.raises(WarehouseUnavailableError, match=rf"within 1 s.*process {pid}, a long report.*run again"):
            run(settings, patient(policy, lock_timeout_seconds=1))
        assert reader.execute("select max(score) from report.current_grades").fetchone() == (1.0,)
    assert run(settings, policy)["revision"] == 2


def test_two_runs_of_a_month_wait_for_each_other(settings, policy, write):
    write([customer(number) for number in range(10)])
    with (
        revisions.publishing(settings, OCTOBER, 1),
        pytest.raises(
            WarehouseUnavailableError, match=r"2026-10: another run is publishing this month \(.*process \d+"
        ),
    ):
        run(settings, patient(policy, lock_timeout_seconds=1))
    assert run(settings, policy)["revision"] == 1


KILLED = """
import os, signal
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.publish import publish
from pipeline.settings import Settings
from pipeline.warehouse import revisions

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(revisions, "STEP", kill)
publish(RatingMonth(2026, 10), Settings.load(), Policy.load(), run_id="killed", run_kind="command")
"""


@pytest.mark.parametrize("step", ["stage", "index", "seal", "swap", "_swap_partition"])
def test_a_run_killed_before_the_swap_leaves_readers_where_they_were(settings, policy, sql, write, forks, step):
    write([customer(number, score=1.0) for number in range(10)])
    run(settings, policy)
    write([customer(number, score=2.0) for number in range(10)])
    assert forks.run(KILLED.replace("STEP", step), variables(settings)) == -signal.SIGKILL
    assert sql("select count(*), max(score) from report.current_grades") == [(10, 1.0)]
    assert run(settings, policy)["revision"] == 2
    assert sql("select count(*), max(score) from report.current_grades") == [(10, 2.0)]
    assert staged_tables(sql) == [(f"{table}_2026_10_r1",) for table in sorted(TABLES)]


def test_leftovers_of_other_months_go_but_not_those_being_published(settings, policy, sql, write):
    sql("create table rating.credit_grades_2026_01_r1 ()")
    sql("create table rating.credit_grades_2026_02_r1 ()")
    sql("create table rating.credit_grades_by_hand_r1 ()")
    write([customer(number) for number in range(10)])
    with revisions.publishing(settings, RatingMonth(2026, 2), 1):
        sql("create table rating.credit_grades_2026_02_r2 ()")
        run(settings, policy)
    assert staged_tables(sql) == [("credit_grades_2026_02_r2",), ("credit_grades_by_hand_r1",)]


def test_a_warehouse_that_is_away_is_one_clear_line(settings, policy, write):
    write([customer(number) for number in range(10)])
    away = Settings(home=settings.home, warehouse_url="postgresql://someone:s3cret@127.0.0.1:1/wh")
    with pytest.raises(WarehouseUnavailableError) as raised:
        run(away, policy)
    assert "127.0.0.1:1/wh" in str(raised.value)
    assert "readers keep what is published" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("step", ["stage", "index", "swap"])
def test_a_warehouse_that_goes_away_half_way_is_one_clear_line(settings, policy, sql, write, monkeypatch, step):
    write([customer(number) for number in range(10)])

    original = getattr(revisions, step)

    def cut_off(connection, *arguments):
        [[pid]] = connection.connection.driver_connection.execute("select pg_backend_pid()").fetchall()
        connection.rollback()
        sql("select pg_terminate_backend(%s)", pid)
        time.sleep(0.1)
        return original(connection, *arguments)

    monkeypatch.setattr(revisions, step, cut_off)
    with pytest.raises(WarehouseUnavailableError, match="readers keep what is published"):
        run(settings, policy)
    monkeypatch.undo()
    assert run(settings, policy)["revision"] == 1


@pytest.mark.parametrize("step", ["stage", "seal"])
def test_a_run_that_has_lost_its_lock_publishes_nothing(settings, policy, sql, write, monkeypatch, step):
    write([customer(number, score=1.0) for number in range(10)])
    run(settings, policy)
    write([customer(number, score=2.0) for number in range(10)])
    original = getattr(revisions, step)

    def lose(*arguments):
        sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mine'")
        return original(*arguments)

    monkeypatch.setattr(revisions, step, lose)
    with (
        locks.rating(settings, OCTOBER, 1, "mine"),
        pytest.raises(WarehouseUnavailableError, match="2026-10: the lock of this run was lost"),
    ):
        run(settings, policy)
    assert sql("select count(*), max(score) from report.current_grades") == [(10, 1.0)]
    monkeypatch.undo()
    with locks.rating(settings, OCTOBER, 5, "mine"):
        assert run(settings, policy)["revision"] == 2


def test_a_month_that_was_not_graded_names_the_partition(settings, policy):
    with pytest.raises(LakeError, match=r"grades/rating_month=2026-10"):
        run(settings, policy)


def test_a_month_without_groups_names_the_partition(settings, policy, write):
    write([customer(1)])
    shutil.rmtree(Lake(settings.lake_path).path("groups"))
    with pytest.raises(LakeError, match=r"groups/rating_month=2026-10.*run the step that writes groups first"):
        run(settings, policy)


def test_a_new_index_of_the_policy_is_published_without_a_migration(settings, policy, sql, write):
    moon = policy.indices["arrears_ratio"].model_copy(update={"code": "M1"})
    extended = Policy.model_validate(
        {
            **policy.model_dump(),
            "indices": {**policy.model_dump()["indices"], "moon_phase": moon},
        }
    )
    customers = [customer(number) for number in range(3)]
    write(
        customers, indices=[{**row, "moon_phase": 0.5, "moon_phase_band": "A"} for row in indices_of(customers, policy)]
    )
    run(settings, extended)
    assert sql("select distinct moon_phase, moon_phase_band from rating.credit_indices") == [(0.5, "A")]
