"""What a model may learn from: mature cohorts, everybody's outcome, and the rows that are drawn."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.customers.compute_indices import compute_indices
from pipeline.customers.index_values import kept_indices
from pipeline.customers.outcomes import cohort_snapshot
from pipeline.engine import open_engine
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.models import cohorts
from pipeline.models.cohorts import _class_shares, _shares
from pipeline.month import RatingMonth
from pipeline.sample import LAST
from pipeline.settings import Settings
from tests.support.records.labelled import changed
from tests.support.records.lake import fill_lake, linked, tables

MONTH = LAST - 1


@pytest.fixture(scope="module")
def brief(policy):
    """Three cohorts, the last of them out of time."""
    return changed(policy, "training", cohorts=3, out_of_time_cohorts=1)


@pytest.fixture(scope="module")
def settings(sample_lake, tmp_path_factory):
    return Settings(home=tmp_path_factory.mktemp("cohorts"), lake=sample_lake, threads=2)


@pytest.fixture(scope="module")
def rows(settings, brief):
    with cohorts.labelled(MONTH, settings, brief, "as_known_then") as rows:
        yield rows


@pytest.fixture(scope="module")
def counted(settings, brief):
    return cohorts.outcomes(MONTH, settings, brief)


@pytest.fixture(scope="module")
def households(rows):
    return rows.of("residential")


@pytest.mark.parametrize(("horizon", "embargo"), [(6, 0), (6, 2), (1, 0)])
def test_a_cohort_takes_part_once_its_label_window_and_the_embargo_are_over(sample_lake, policy, horizon, embargo):
    policy = changed(policy, "label", horizon_months=horizon, embargo_months=embargo)
    mature = cohorts.mature(Lake(sample_lake), MONTH, policy)
    assert mature[-1] + horizon + embargo == MONTH
    assert len(mature) == policy.training.cohorts
    assert mature == list(RatingMonth.span(mature[0], mature[-1]))


def test_no_cohort_is_older_than_the_records(tmp_path, policy):
    lake = Lake(tmp_path / "lake")
    assert cohorts.mature(lake, MONTH, policy) == []
    with lake.writing("bills", recorded_month=MONTH - 7) as partition:
        partition.manifest(rows=0)
    assert cohorts.mature(lake, MONTH, policy) == [MONTH - 7, MONTH - 6]


def test_nothing_recorded_of_customers_after_a_cohort_changes_it(sample, sample_lake, policy, tmp_path):
    """Customers who are added, move to another segment or feeder, get another connection, close and come back."""
    policy = changed(policy, "training", cohorts=1, out_of_time_cohorts=0)
    cohort = MONTH - policy.label.horizon_months
    cutoff = cohort.cutoff("UTC")
    known = sorted(sample["customers"].to_pylist(), key=lambda row: row["recorded_at"])
    known = [row for row in known if row["recorded_at"] < cutoff]
    latest = {row["customer_id"]: row for row in known}
    afterwards = []
    for number, row in enumerate(latest.values()):
        segment = "commercial" if row["segment"] == "residential" else "residential"
        afterwards += [
            row | {"recorded_at": cutoff, **change}
            for change in (
                [{"segment": segment}],
                [{"contract_capacity_kva": Decimal(5000), "has_reactive_compensation": None}],
                [{"feeder_id": "elsewhere", "region": "elsewhere"}],
                [
                    {"closed_on": (cohort + 1).first_day},
                    {"connected_on": (cohort + 3).first_day, "recorded_at": cutoff + timedelta(days=60)},
                ],
                [{"customer_id": f"backdated {number}"}],
            )[number % 5]
        ]
    found = {}
    for name, more in (("as it was", []), ("changed afterwards", afterwards)):
        settings = Settings(home=tmp_path / name, threads=2)
        customers = pa.Table.from_pylist([*known, *more], sample["customers"].schema)
        fill_lake(linked(sample_lake, settings.lake_path), {"customers": customers}, cohort, MONTH)
        with cohorts.labelled(MONTH, settings, policy, "as_known_then") as rows:
            found[name] = rows.counts, {family: rows.of(family) for family in policy.families}
    (counts, families), (counts_then, families_then) = found.values()
    pd.testing.assert_frame_equal(counts, counts_then)
    for family, rows in families.items():
        assert len(rows)
        pd.testing.assert_frame_equal(rows, families_then[family])


def test_a_cohort_that_was_rated_is_read_from_its_indices_and_is_the_same(sample, sample_lake, policy, tmp_path):
    policy = changed(policy, "training", cohorts=2, out_of_time_cohorts=1)
    few = changed(policy, "training", max_looked_up=1200)
    rated = MONTH - policy.label.horizon_months
    settings = Settings(home=tmp_path, threads=2)
    lake = linked(sample_lake, settings.lake_path)
    fill_lake(lake, {"customers": sample["customers"]}, rated - 1, rated)

    def labelled(policy):
        with cohorts.labelled(MONTH, settings, policy, "as_known_then") as rows:
            return rows.counts, rows.input_sha256, pd.concat(rows.of(family) for family in policy.families)

    measured = [labelled(asked) for asked in (policy, few)]
    known = KnownRecords(lake, policy, rated)
    assert kept_indices(known) is None
    compute_indices(rated, settings, policy)
    assert kept_indices(known) is not None
    for (counts, sha256, rows), (counts_now, sha256_now, rows_now) in zip(
        measured, map(labelled, (policy, few)), strict=True
    ):
        assert sha256_now == sha256
        pd.testing.assert_frame_equal(counts_now, counts)
        pd.testing.assert_frame_equal(rows_now, rows, check_exact=True)
        assert rows["cohort"].nunique() == 2
    accounts = policy.accounts.model_copy(update={"settlement_tolerance": 5})
    assert kept_indices(KnownRecords(lake, policy.model_copy(update={"accounts": accounts}), rated)) is None
    assert kept_indices(KnownRecords(lake, policy, rated, customers_of=MONTH)) is None


def test_a_cohort_whose_customers_the_source_no_longer_knows_is_read_as_known_later(
    sample, sample_lake, policy, tmp_path, caplog
):
    """A billing system that writes over its customers says of an earlier month only who has not changed since."""
    policy = changed(policy, "training", cohorts=1, out_of_time_cohorts=0)
    cohort = MONTH - policy.label.horizon_months
    lake = linked(sample_lake, tmp_path / "lake")
    fill_lake(lake, {"customers": sample["customers"].slice(0, 100)}, cohort)
    with open_engine(Settings(home=tmp_path, threads=2)) as engine:
        assert cohort_snapshot(engine, lake, policy, cohort, MONTH) == MONTH
        assert f"the customers snapshot of {cohort} lacks" in caplog.text
        lake = linked(sample_lake, tmp_path / "whole")
        fill_lake(lake, {"customers": sample["customers"]}, cohort)
        assert cohort_snapshot(engine, lake, policy, cohort, MONTH) == cohort
        assert cohort_snapshot(engine, lake, policy, cohort - 1, MONTH) == MONTH


def test_everybody_connected_then_has_one_outcome(counted, brief, rows, sample):
    assert [row["cohort"] for row in counted] == [str(cohort) for cohort in rows.cohorts for _ in brief.families]
    known = sorted(sample["customers"].to_pylist(), key=lambda row: row["recorded_at"])
    known = {row["customer_id"]: row for row in known if row["recorded_at"] < MONTH.cutoff("UTC")}
    for cohort in rows.cohorts:
        cutoff = cohort.cutoff("UTC").date()
        connected = [
            row
            for row in known.values()
            if row["connected_on"] < cutoff and (row["closed_on"] is None or row["closed_on"] >= cutoff)
        ]
        of_it = [row for row in counted if row["cohort"] == str(cohort)]
        assert sum(row[outcome] for row in of_it for outcome in cohorts.OUTCOMES) == len(connected)
    total = Counter()
    for row in counted:
        total.update({outcome: row[outcome] for outcome in cohorts.OUTCOMES})
    assert min(total[outcome] for outcome in ("good", "bad", "indeterminate", "too_few_bills", "in_default")) > 0


def test_rows_are_the_labelled_customers_once_in_each_cohort(rows, households, counted):
    assert set(households["cohort"]) == {str(cohort) for cohort in rows.cohorts}
    assert not households.duplicated(["cohort", "customer_id"]).any()
    [last] = [row for row in counted if row["family"] == "residential" and row["cohort"] == str(rows.cohorts[-1])]
    late = households[households["cohort"] == last["cohort"]]
    assert (late["is_default"] == 1).sum() == last["bad"]
    assert (late["is_default"] == 0).sum() == last["good"]


def test_the_test_rows_are_of_other_customers_and_a_later_time_than_the_fit(rows, households):
    parts = {role: households[households["role"] == role] for role in cohorts.ROLES}
    assert min(map(len, parts.values())) > 50
    for role in ("fit", "calibration"):
        assert not set(parts[role]["customer_id"]) & set(parts["test"]["customer_id"])
    late = str(rows.cohorts[-1])
    assert set(parts["test"]["cohort"]) == set(parts["calibration"]["cohort"]) == {late}
    assert max(parts["fit"]["cohort"]) < late
    share = len(parts["test"]) / (len(parts["test"]) + len(parts["calibration"]))
    assert share == pytest.approx(0.2, abs=0.05)


def test_without_cohorts_to_spare_the_three_parts_are_of_different_customers(settings, policy):
    one = changed(policy, "training", cohorts=1)
    with cohorts.labelled(MONTH, settings, one, "as_known_then") as rows:
        frame = rows.of("residential")
    ids = [set(frame.loc[frame["role"] == role, "customer_id"]) for role in cohorts.ROLES]
    assert sum(map(len, ids)) == len(set.union(*ids)) == len(frame)
    assert min(map(len, ids)) > 50


def test_of_more_rows_than_the_policy_takes_every_default_is_fitted_on_and_rates_are_known(settings, brief, households):
    fit = households[households["role"] == "fit"]
    few = brief.training.model_copy(update={"max_rows": 500})  # fewer than a policy may ask for
    with cohorts.labelled(MONTH, settings, brief.model_copy(update={"training": few}), "as_known_then") as rows:
        drawn, share = rows.of("residential"), rows.default_share("residential")
    sampled = drawn[drawn["role"] == "fit"]
    assert len(sampled) == pytest.approx(500, abs=60)
    assert len(sampled) < len(fit)
    keys = ["cohort", "customer_id"]
    assert len(sampled.merge(fit, on=keys)) == len(sampled)
    assert sampled["is_default"].sum() == fit["is_default"].sum()
    assert share == pytest.approx(fit["is_default"].mean())
    plain = sampled[sampled["is_plain"]]
    assert plain["is_default"].mean() < sampled["is_default"].mean()
    for role in ("calibration", "test"):
        assert (households["role"] == role).sum() >= (drawn["role"] == role).sum() > 0
        assert drawn.loc[drawn["role"] == role, "is_plain"].all()


def test_of_more_customers_than_are_looked_up_a_plain_sample_stands_for_all(settings, brief, households, counted):
    few = changed(brief, "training", max_looked_up=1200)
    with cohorts.labelled(MONTH, settings, few, "as_known_then", roles=("test", "calibration")) as rows:
        some = rows.of("residential")
        looked_up = rows.counts["customers"].sum()
    assert looked_up == pytest.approx(1200, abs=200)
    late = households[households["role"] != "fit"]
    keys = ["cohort", "customer_id"]
    assert 0 < len(some) < len(late)
    theirs = some[keys].merge(late, on=keys)[some.columns]
    pd.testing.assert_frame_equal(some.drop(columns="is_plain"), theirs.drop(columns="is_plain"), check_exact=True)
    assert cohorts.outcomes(MONTH, settings, few) == counted  # these are of all


def test_another_seed_holds_out_others(settings, brief, households):
    other = changed(brief, "training", seed=brief.training.seed + 1)
    with cohorts.labelled(MONTH, settings, other, "as_known_then", roles=("test",)) as rows:
        test = rows.of("residential")
    assert set(test["role"]) == {"test"}
    assert set(test["customer_id"]) != set(households.loc[households["role"] == "test", "customer_id"])


@pytest.mark.parametrize(
    ("bads", "goods", "drawn"),
    [
        (40, 900, (1, 1)),  # there is room for all
        (100, 9900, (1, 900 / 9900)),  # all defaults
        (2000, 8000, (250 / 2000, 750 / 8000)),  # a quarter of the sample
        (6000, 4000, (0.1, 0.1)),  # more than a quarter anyway: as they come
        (0, 10000, (0.1, 0.1)),
    ],
)
def test_defaults_are_drawn_first_up_to_their_share_of_the_sample(policy, bads, goods, drawn):
    policy = changed(policy, "training", max_rows=1000, sampled_default_share=0.25)
    assert _class_shares(bads, goods, "fit", policy) == pytest.approx(drawn)
    plain = min(1, 250 / (bads + goods))
    assert _class_shares(bads, goods, "test", policy) == (plain, plain)


def test_families_are_drawn_apart(policy):
    counts = pd.DataFrame(
        [("residential", "fit", "good", 1_000_000), ("residential", "fit", "bad", 1), ("farms", "fit", "good", 10)],
        columns=["family", "role", "outcome", "customers"],
    )
    shares = {(row["family"], row["is_default"]): row["drawn"] for row in _shares(counts, policy)}
    assert shares["farms", 0] == "g"  # beyond every md5: all
    assert shares["residential", 0] < "g"


def test_records_of_after_the_run_teach_nothing(settings, brief, sample_lake, tmp_path):
    earlier, few = MONTH - 1, changed(brief, "training", cohorts=2)
    then = Settings(home=tmp_path / "home", threads=2)
    lake = linked(sample_lake, then.lake_path, until=earlier)
    assert lake.facts("bills")[-1] == earlier
    assert not lake.has("customers", snapshot_month=MONTH)
    learnt = []
    for one in (settings, then):
        with cohorts.labelled(earlier, one, few, "as_known_then") as rows:
            learnt.append(rows.of("residential"))
    pd.testing.assert_frame_equal(*learnt)


def test_a_lake_without_a_mature_cohort_has_nothing_to_learn_from(tmp_path, policy):
    settings = Settings(home=tmp_path / "home", threads=2)
    fill_lake(Lake(settings.lake_path), tables(), MONTH)
    assert cohorts.outcomes(MONTH, settings, policy) == []
    with cohorts.labelled(MONTH, settings, policy, "as_known_then") as rows:
        assert rows.of("residential").empty
        assert rows.default_share("residential") == 0
