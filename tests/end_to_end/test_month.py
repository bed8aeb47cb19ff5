"""A whole month, from the billing system to what readers see, as ``gridgrade rate`` does it."""

import json
from types import SimpleNamespace

import numpy as np
import psycopg
import pyarrow as pa
import pytest
import yaml

from pipeline import version
from pipeline.cycle import rate_month
from pipeline.errors import MonthNotClosedError, WarehouseUnavailableError
from pipeline.grading import grade
from pipeline.lake import QUARANTINE, Lake
from pipeline.models import cohorts
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.up_to_date import up_to_date
from pipeline.sample import LAST, generate, hidden_state
from pipeline.scorecard import metrics
from pipeline.source.write import replace_tables
from pipeline.warehouse import carry_over, model_registry, publications
from pipeline.warehouse.connection import transaction
from tests.support.environment import variables

TRAINED = LAST - 1
FEW = {"cohorts": 4, "out_of_time_cohorts": 2, "min_defaults": 20}


def read(url, statement):
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        return connection.execute(statement).fetchall()


def write(url, statement):
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute(statement)


def published(settings, month):
    with transaction(settings) as connection:
        return publications.current(connection, month)


@pytest.fixture(scope="module")
def policy():
    """One of few cohorts, whose monitoring lets pass that the sample's history is short: early ones lack a year of
    reads."""
    default = Policy.load().model_dump(mode="json")
    changed = {"monitoring": {"max_psi": 5}, "training": FEW}
    return Policy(**default | {name: default[name] | values for name, values in changed.items()})


@pytest.fixture
def gridgrade(gridgrade, policy, monkeypatch, tmp_path):
    """The command under that policy, unless it is given another file."""
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy.model_dump(mode="json")))
    monkeypatch.setenv("GRIDGRADE_POLICY", str(tmp_path / "policy.yaml"))
    return gridgrade


@pytest.fixture(scope="module")
def rated(sample, databases, policy, tmp_path_factory):
    """``settings`` of the sample with its last two months rated, and the ``outcomes`` by month."""
    with databases(tmp_path_factory.mktemp("rated")) as settings:
        replace_tables(settings.source, ((name, b) for name, rows in sample.items() for b in rows.to_batches()))
        yield SimpleNamespace(
            settings=settings, outcomes={month: rate_month(month, settings, policy) for month in (TRAINED, LAST)}
        )


def test_every_customer_connected_at_the_cutoff_has_one_published_row(rated):
    population = read(
        rated.settings.source,
        "select customer_id from (select distinct on (customer_id) * from customers where recorded_at < '2026-11-01Z' "
        "order by customer_id, recorded_at desc) as latest where connected_on < '2026-11-01' "
        "and (closed_on is null or closed_on >= '2026-11-01') order by customer_id",
    )
    in_groups = "(select * from rating.customer_groups where life_cycle_stage <> 'closed') as connected"
    for table in ("rating.credit_grades", "rating.credit_indices", in_groups):
        query = f"select customer_id from {table} where rating_month = '2026-10-01' order by customer_id"
        assert read(rated.settings.warehouse, query) == population
    assert published(rated.settings, LAST).rows == len(population)
    assert sum(rated.outcomes[LAST]["grade"]["grades"].values()) == len(population)


def test_steps_tell_what_they_did_in_plain_json(rated):
    first, second = rated.outcomes[TRAINED], rated.outcomes[LAST]
    before = ["extract", "validate", "compute_indices", "group", "choose_model"]
    after = ["grade", "sensitivity", "publish", "decide_actions", "propose_rebates", "monitor", "report"]
    assert [name for name in first if name not in ("month", "basis")] == [*before, "retrain", *after]
    assert [name for name in second if name not in ("month", "basis")] == [*before, "apply", *after]
    assert second["apply"]["models"] == first["retrain"]["models"]
    assert second["validate"]["quarantined"].keys() == second["validate"]["rows"].keys()


def test_the_second_month_knows_the_grades_of_the_first(rated):
    moves = read(
        rated.settings.warehouse,
        "select count(*), count(*) filter (where b.grade is distinct from a.previous_grade) "
        "from rating.credit_grades as a left join rating.credit_grades as b "
        "on b.customer_id = a.customer_id and b.rating_month = '2026-09-01' where a.rating_month = '2026-10-01'",
    )
    assert moves == [(published(rated.settings, LAST).rows, 0)]


def test_every_published_score_is_explained_and_every_segment_analysed(rated):
    """By SQL alone: points and base add up to the score."""
    [(customers, explained, off)] = read(
        rated.settings.warehouse,
        "select count(*), count(e.points), max(abs(e.base_score + e.points - g.score)) "
        "from rating.credit_grades as g left join (select rating_month, customer_id, base_score, sum(points) as points "
        "from report.grade_explanation group by 1, 2, 3) as e using (rating_month, customer_id)",
    )
    assert customers == explained > 1000
    assert off < 1e-9
    shaken = read(
        rated.settings.warehouse,
        "select segment, risk_factor, grade_changes, elasticity from report.risk_sensitivity "
        "where rating_month = '2026-10-01' and is_ranking_shock and risk_factor <> 'mean'",
    )
    segments = read(rated.settings.warehouse, "select distinct segment from rating.credit_grades")
    assert {segment for segment, *_ in shaken} == {segment for (segment,) in segments}
    assert sum(changes for _, factor, changes, _ in shaken if factor == "management") > 0
    assert all(elasticity > 0 for _, factor, _, elasticity in shaken if factor == "management")
    assert all(elasticity >= 0 for *_, elasticity in shaken)


def test_the_reports_of_a_month_tie_to_its_customers(rated):
    def report(query):
        return read(rated.settings.warehouse, query)

    before, rows = published(rated.settings, TRAINED).rows, published(rated.settings, LAST).rows
    of_october = "from report.{} where rating_month = '2026-10-01'"
    moves = (
        "select sum(customers) filter (where from_state <> 'new'), sum(customers) filter (where to_state <> 'closed') "
    )
    assert report(moves + of_october.format("grade_migration")) == [(before, rows)]
    [(connected, closed, revenue)] = report(
        "select sum(customers) filter (where life_cycle_stage <> 'closed'), "
        "sum(customers) filter (where life_cycle_stage = 'closed'), "
        "sum(revenue) filter (where life_cycle_stage <> 'closed') " + of_october.format("life_cycle")
    )
    assert connected == rows
    assert [(closed,)] == report(
        "select sum(customers) " + of_october.format("grade_migration") + " and to_state = 'closed'"
    )
    assert report("select sum(customers), sum(revenue) " + of_october.format("customer_groups")) == [(rows, revenue)]
    assert report("select sum(customers) " + of_october.format("service_sensitivity")) == [(rows,)]
    for (customers,) in report("select sum(customers) " + of_october.format("group_profiles") + " group by aspect"):
        assert customers == rows


def test_a_month_again_is_a_no_op_and_the_command_prints_all_that_was_done_as_json(gridgrade, rated):
    before = published(rated.settings, LAST)
    code, out, err = gridgrade("rate", str(LAST), "--json", settings=rated.settings)
    assert (code, err) == (0, "")
    again = json.loads(out)
    assert again["extract"]["written"] == {}
    assert again["validate"]["partitions_checked"] == 0
    assert again["choose_model"]["why"] == "the month is published, its models stay"
    assert again["grade"]["grades"] == rated.outcomes[LAST]["grade"]["grades"]
    assert again["publish"] == rated.outcomes[LAST]["publish"] | {"changed": False}
    assert published(rated.settings, LAST) == before


def test_a_month_whose_models_pass_a_limit_is_published_and_the_command_fails(
    gridgrade, rated, policy, monkeypatch, tmp_path
):
    strict = policy.model_dump(mode="json") | {"monitoring": {"max_psi": 0.001}}
    (tmp_path / "strict.yaml").write_text(yaml.safe_dump(strict))
    monkeypatch.setenv("GRIDGRADE_POLICY", str(tmp_path / "strict.yaml"))
    code, out, err = gridgrade("rate", str(LAST), settings=rated.settings)
    assert code == 1
    assert "unchanged, revision 1" in " ".join(out.split())
    assert err.startswith(f"gridgrade: published, but past a limit of policy monitoring: {LAST}: residential-{TRAINED}")
    assert "psi of score" in err
    assert err.count("\n") == 1


def test_the_command_prints_grades_by_month_also_of_a_dry_run(gridgrade, rated):
    before = published(rated.settings, LAST)
    code, out, err = gridgrade("rate", str(LAST), "--dry-run", settings=rated.settings)
    assert (code, err) == (0, "")
    for name, customers in rated.outcomes[LAST]["grade"]["grades"].items():
        assert f"{name} {customers}" in " ".join(out.replace("│", " ").replace(",", "").split())
    assert published(rated.settings, LAST) == before


def test_a_backfill_rates_every_month_of_the_range_oldest_first(gridgrade, rated):
    asked = ("backfill", str(TRAINED), str(LAST), "--mode", "apply", "--json")
    code, out, err = gridgrade(*asked, settings=rated.settings)
    assert code == 0
    assert [outcome["month"] for outcome in json.loads(out)] == [str(TRAINED), str(LAST)]
    assert [outcome["publish"]["up_to_date"] for outcome in json.loads(out)] == [True, True]
    assert [outcome["grade"] for outcome in json.loads(out)] == [
        {"grades": rated.outcomes[month]["grade"]["grades"]} for month in (TRAINED, LAST)
    ]
    assert [line.split(",")[0] for line in err.splitlines()] == [
        f"0 of 2 done: {TRAINED}",
        f"1 of 2 done: {LAST}",
        "2 of 2 done: done",
    ]
    assert gridgrade("backfill", "--stale") == (0, "", "no month is stale\n")


def test_a_month_is_up_to_date_until_anything_it_follows_from_changes(rated, databases, policy, tmp_path, monkeypatch):
    with databases(tmp_path / "home", like=rated.settings) as settings:
        lake = Lake(settings.lake_path)

        def is_up_to_date(policy=policy, basis="as_known_then", **asked):
            return up_to_date(LAST, settings, policy, basis=basis, **asked) is not None

        def is_up_to_date_after(change, back):
            write(settings.warehouse, change)
            found = is_up_to_date()
            write(settings.warehouse, back)
            return found

        def own(text):
            path = tmp_path / "policy.yaml"
            path.write_text(f"{text}\ntraining: {FEW}")
            return Policy.load(path)

        assert is_up_to_date()
        assert is_up_to_date(model_version=rated.outcomes[LAST]["apply"]["models"]["residential"])
        assert not is_up_to_date(mode="retrain")
        assert not is_up_to_date(basis="as_known_now")
        assert is_up_to_date(own("actions: {channels: {email: {timeout_seconds: 31}}}  # slow\nschedule: 0 0 2 * *"))
        assert not is_up_to_date(own("label: {horizon_months: 7}"))
        october = "where rating_month = '2026-10-01'"
        unmarked = f"update ops.publications set followed_up_at = null {october}"
        assert not is_up_to_date_after(unmarked, f"update ops.publications set followed_up_at = now() {october}")
        september = "where rating_month = '2026-09-01'"
        restated = f"update ops.publications set carried_sha256 = reverse(carried_sha256) {september}"
        assert not is_up_to_date_after(restated, restated)
        decided = (
            "insert into ops.rating_overrides (customer_id, kind, grade, reason, created_by, valid_from, created_at) "
            "values ('C1', 'override', 'D', 'r', 'ana', '2026-10-01', '{}')"
        )
        assert not is_up_to_date_after(decided.format("2026-10-31"), "delete from ops.rating_overrides")
        assert is_up_to_date_after(decided.format("2026-11-02"), "delete from ops.rating_overrides")
        with monkeypatch.context() as patch:
            patch.setattr(version, "sha256", lambda: "another version")
            assert not is_up_to_date()
        assert is_up_to_date()
        left_out = lake.path(QUARANTINE + "bills", recorded_month=LAST)
        left_out.rename(tmp_path / "away")
        assert not is_up_to_date()
        with lake.writing(QUARANTINE + "bills", recorded_month=LAST) as partition:
            (partition.folder / "part-0.parquet").write_bytes(b"other rows")
            partition.manifest(rows=1)
        assert not is_up_to_date()


AT_ONCE = """
import sys
from pipeline.cli import main
sys.argv = ["gridgrade", "backfill", "MONTH", "MONTH", "--mode", "apply", "--accept-moves"]
sys.exit(main())
"""


@pytest.mark.trial
def test_runs_at_once_of_a_month_and_of_the_one_before_leave_one_result_of_each(
    rated, databases, policy, forks, tmp_path
):
    strict = tmp_path / "strict.yaml"
    strict.write_text(
        "grades: {cutoffs: [0.001, 0.005, 0.015, 0.04, 0.12]}\n"
        "publish: {max_grade_share_change: 1, lock_timeout_seconds: 3600}\n"
        "monitoring: {max_psi: 5}"
    )
    with databases(tmp_path / "home", like=rated.settings) as settings:
        environment = variables(settings) | {"GRIDGRADE_POLICY": str(strict)}
        runs = [forks.start(AT_ONCE.replace("MONTH", str(month)), environment) for month in (LAST, TRAINED, LAST)]
        assert [forks.wait(run) for run in runs] == [0, 0, 0]
        with transaction(settings) as connection:
            for month in (TRAINED, LAST):
                # October may have been rated before September was, and once more after it.
                assert len(publications.revisions_of(connection, month)) in ((2,) if month == TRAINED else (2, 3))
                found = publications.current(connection, month)
                is_right = found.taken_over == carry_over.carried_over(connection, month)
                assert is_right == (found.stale_since is None)
        assert read(
            settings.warehouse,
            "select count(distinct publication_id) from rating.credit_grades group by rating_month",
        ) == [(1,), (1,)]


@pytest.fixture(scope="module")
def shuffled(sample, databases, policy, tmp_path_factory):
    """The utility with every table's rows in another order, and a month of it rated on one thread."""
    rng = np.random.default_rng(5)
    with databases(tmp_path_factory.mktemp("shuffled")) as two_threads:
        settings = two_threads.model_copy(update={"threads": 1})
        tables = {name: rows.take(pa.array(rng.permutation(len(rows)))) for name, rows in sample.items()}
        replace_tables(settings.source, ((name, b) for name, rows in tables.items() for b in rows.to_batches()))
        yield settings, rate_month(TRAINED, settings, policy)


def test_a_shuffled_source_on_one_thread_publishes_the_same_content(rated, shuffled):
    _, outcome = shuffled
    assert rated.settings.threads == 2
    assert outcome["retrain"] == rated.outcomes[TRAINED]["retrain"]
    assert outcome["publish"]["content_sha256"] == rated.outcomes[TRAINED]["publish"]["content_sha256"]


@pytest.fixture
def cut_off(shuffled, postgres):
    """Close the warehouse to everybody; ``cut_off(False)`` opens it again."""
    server = postgres.superuser.set(drivername="postgresql").render_as_string(hide_password=False)
    name = shuffled[0].warehouse.database

    def run(is_closed=True):
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections {not is_closed}")
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])

    yield run
    run(False)


def test_a_warehouse_that_is_down_at_publish_keeps_readers_where_they_are(shuffled, policy, cut_off, monkeypatch):
    settings, outcome = shuffled
    policy = policy.model_copy(
        update={
            "grades": policy.grades.model_copy(update={"cutoffs": (0.001, 0.005, 0.015, 0.04, 0.12)}),
            "publish": policy.publish.model_copy(update={"max_grade_share_change": 1, "max_moved_share": 1}),
        }
    )

    def graded_and_then_cut_off(*inputs, grade=grade.grade, **options):
        summary = grade(*inputs, **options)
        cut_off()
        return summary

    with monkeypatch.context() as patch:
        patch.setattr(grade, "grade", graded_and_then_cut_off)
        with pytest.raises(WarehouseUnavailableError) as raised:
            rate_month(TRAINED, settings, policy, mode="apply")
    cut_off(False)
    assert settings.warehouse.database in str(raised.value)
    assert "readers keep what is published" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert published(settings, TRAINED).content_sha256 == outcome["publish"]["content_sha256"]

    completed = rate_month(TRAINED, settings, policy, mode="apply")
    assert (completed["publish"]["changed"], completed["publish"]["revision"]) == (True, 2)


def test_a_dry_run_publishes_nothing_and_puts_no_model_in_force(shuffled, policy):
    settings, _ = shuffled
    before = published(settings, TRAINED)
    one = policy.training.model_copy(update={"cohorts": 1, "min_defaults": 40})
    policy = policy.model_copy(update={"training": one})
    tried = rate_month(TRAINED, settings, policy, mode="retrain", dry_run=True)
    assert tried["publish"]["dry_run"]
    assert not {"propose_rebates", "monitor"} & tried.keys()
    trials = [model for model in model_registry.models(settings) if model.is_trial]
    assert [(model.family, model.status) for model in trials] == [("non_residential", "challenger")]
    assert published(settings, TRAINED) == before


@pytest.fixture
def required_only(settings):
    """A source that has customers, bills and payments and nothing else, and its last month."""
    rows = [part for part in generate(100, 7) if part[0] in ("customers", "bills", "payments")]
    replace_tables(settings.source, rows)
    return settings


def test_without_the_optional_tables_a_month_is_published_all_the_same(required_only, policy):
    outcome = rate_month(LAST, required_only, policy)
    assert "arrears" in outcome["extract"]["absent"]
    assert outcome["publish"]["changed"]
    bases = read(required_only.warehouse, "select distinct rating_basis from rating.credit_grades")
    assert {basis for (basis,) in bases} <= {"expert", "thin_file", "default", "new", "veto"}
    assert outcome["group"]["without"] == ["outages", "service_contacts"]
    assert read(required_only.warehouse, "select distinct aspect from report.group_profiles order by 1") == [
        ("behaviour",),
        ("value",),
    ]
    later = rate_month(LAST, required_only, policy, basis="as_known_now")
    assert later["publish"]["revision"] == 2  # the same rows, and said to be on another basis


def test_a_month_that_billing_has_not_closed_is_not_begun(rated, policy):
    with pytest.raises(MonthNotClosedError, match=r"2026-11 is not closed .*the latest closed month is 2026-10"):
        rate_month(LAST + 1, rated.settings, policy)
    assert not Lake(rated.settings.lake_path).has("customers", snapshot_month=LAST + 1)


def test_the_stated_auc_is_better_than_chance_and_below_what_the_hidden_credit_reaches(rated, policy, sample_size):
    model = model_registry.champion(rated.settings, "residential", TRAINED)
    stated = model.metrics["auc"]["value"]
    late = [RatingMonth.parse(cohort) for cohort in model.metrics["cohorts"]]
    with cohorts.labelled(TRAINED, rated.settings, policy, "as_known_then", roles=("test",)) as rows:
        test = rows.of("residential")
    assert sorted(set(test["cohort"])) == list(map(str, late))
    assert model.metrics["samples"]["test"] == {"customers": len(test), "defaults": int(test["is_default"].sum())}
    risk = {}
    for cohort in late:
        hidden = hidden_state(*sample_size, LAST, at=cohort)
        risk |= {(str(cohort), name): p for name, p in zip(hidden.customer_id, hidden.default_probability, strict=True)}
    known = [risk[key] for key in zip(test["cohort"], test["customer_id"], strict=True)]
    best = metrics.auc(test["is_default"].to_numpy(), known).value
    assert 0.6 < stated < best
