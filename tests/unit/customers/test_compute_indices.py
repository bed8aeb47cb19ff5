"""The indices of a month: who is measured, by what was known, and nothing else."""

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.customers.compute_indices import compute_indices
from pipeline.customers.index_values import rule_facts
from pipeline.engine.duckdb import DuckDBEngine
from pipeline.errors import ConfigError, LakeError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.sample import LAST
from pipeline.settings import Settings
from pipeline.source import contract
from tests.support.records.billing import bill, customer, instant
from tests.support.records.lake import fill_lake, quarantine, tables
from tests.support.records.one_firm import firm, life

MONTH = LAST - 2
OCTOBER = RatingMonth(2026, 10)
DATED = {
    "bills": "issued_on",
    "payments": "paid_on",
    "arrears": "as_of",
    "collection_events": "occurred_on",
    "violations": "detected_on",
    "financial_statements": "published_on",
    "calibrations": "due_on",
    "grid_accidents": "occurred_on",
    "social_credit_ratings": "valid_from",
    "satisfaction_surveys": "surveyed_on",
    "outages": "starts_at",
    "service_contacts": "contacted_at",
}


NOTICE = {
    "event_id": "E1",
    "customer_id": "C002",
    "event_type": "overdue_notice",
    "occurred_on": date(2026, 10, 25),
    "recorded_at": instant(date(2026, 10, 25)),
}

FACTS_OF = {
    "is_on_probation": ("arrears", "collection_events"),
    "has_unpaid_balance": ("arrears",),
    "has_long_arrears": ("arrears",),
    "has_theft": ("violations",),
    "has_violation": ("violations",),
    "has_broken_plan": ("collection_events",),
}


@pytest.fixture
def home(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home", threads=2)


def measured(settings, policy, month=MONTH, basis="as_known_then") -> pa.Table:
    compute_indices(month, settings, policy, basis=basis)
    return pa.concat_tables(
        pq.read_table(file) for file in Lake(settings.lake_path).files("indices", rating_month=month, basis=basis)
    )


@pytest.fixture
def small(home):
    """Fill the lake of a test with a few records and measure October 2026."""

    def run(policy, month=OCTOBER, **rows) -> dict[str, dict]:
        fill_lake(Lake(home.lake_path), tables(**rows), month)
        return {row["customer_id"]: row for row in measured(home, policy, month).to_pylist()}

    return run


@pytest.fixture(scope="module")
def as_it_was(sample_lake, tmp_path_factory, policy) -> pa.Table:
    return measured(Settings(home=tmp_path_factory.mktemp("whole"), lake=sample_lake, threads=2), policy)


def test_every_connected_customer_has_one_row_in_order(sample, as_it_was, policy):
    rows = as_it_was.to_pylist()
    ids = [row["customer_id"] for row in rows]
    assert ids == sorted(set(ids))
    known = [row for row in sample["customers"].to_pylist() if row["recorded_at"] < MONTH.cutoff("UTC")]
    latest = {row["customer_id"]: row for row in sorted(known, key=lambda row: row["recorded_at"])}
    end = (MONTH + 1).first_day
    assert ids == sorted(
        name
        for name, row in latest.items()
        if row["connected_on"] < end and (row["closed_on"] is None or row["closed_on"] >= end)
    )
    for row in rows[:50]:
        assert row["family"] == policy.family_of(row["segment"])


def test_rows_dated_or_recorded_after_the_cutoff_change_no_index(sample, as_it_was, home, policy):
    """The rest of the sample's life is not just left out: it is another one, and some of it was recorded too early."""
    cutoff = pa.scalar(MONTH.cutoff("UTC"), pa.timestamp("us", "UTC"))
    changed = {}
    for name in ("customers", *DATED):
        rows = sample[name]
        before = rows.filter(pc.less(rows["recorded_at"], cutoff))
        after = rows.filter(pc.greater_equal(rows["recorded_at"], cutoff)).to_pylist()[::2]
        for number, row in enumerate(after):
            for column, value in row.items():
                if isinstance(value, Decimal):
                    row[column] = value * 7 + 1
                elif isinstance(value, bool):
                    row[column] = not value
            if name in DATED and number % 3 == 0:  # recorded too early, and dated from the cut-off on
                row["recorded_at"] = MONTH.cutoff("UTC") - timedelta(days=1)
                is_instant = pa.types.is_timestamp(rows.schema.field(DATED[name]).type)
                row[DATED[name]] = max(row[DATED[name]], MONTH.cutoff("UTC") if is_instant else (MONTH + 1).first_day)
            elif name in DATED and number % 3 == 1:  # dated long ago, and recorded after the cut-off
                row[DATED[name]] -= timedelta(days=200)
        changed[name] = pa.concat_tables([before, pa.Table.from_pylist(after, rows.schema)])
    fill_lake(Lake(home.lake_path), changed, MONTH, LAST)
    assert measured(home, policy).equals(as_it_was)
    assert not measured(home, policy, basis="as_known_now").equals(as_it_was)


def test_the_cutoff_is_where_a_record_of_any_table_begins_to_count(home, policy):
    """The same records once before the cut-off, once dated from it on, once recorded at its very instant."""
    cutoff = OCTOBER.cutoff("UTC")
    just_before = cutoff - timedelta(microseconds=1)
    lives = {
        "before": life(1, OCTOBER - 1, just_before),
        "dated later": life(2, OCTOBER + 1, just_before, onwards=True),
        "recorded later": life(3, OCTOBER - 1, cutoff),
        "nothing": {"customers": [firm(4)]},
    }
    rows = {table: [row for life in lives.values() for row in life.get(table, [])] for table in lives["before"]}
    fill_lake(Lake(home.lake_path), tables(**rows), OCTOBER, OCTOBER + 1)

    def found(basis):
        customers = measured(home, policy, OCTOBER, basis).drop_columns("customer_id").to_pylist()
        return dict(zip(lives, customers, strict=True))

    then, now = found("as_known_then"), found("as_known_now")
    assert then["dated later"] == then["recorded later"] == then["nothing"] == now["dated later"] == now["nothing"]
    assert now["recorded later"] == now["before"] == then["before"]
    for name in policy.indices:
        value_and_flag = [(then[which][name], then[which][f"{name}_missing"]) for which in ("before", "nothing")]
        assert value_and_flag[0] != value_and_flag[1], name
    assert not [name for name in policy.indices if then["before"][f"{name}_missing"]]


@pytest.fixture(scope="module")
def firms(tmp_path_factory) -> Settings:
    """A lake of three firms, each with something in every table of the source."""
    settings = Settings(home=tmp_path_factory.mktemp("firms"), threads=2)
    lives = [life(number, OCTOBER - 1, OCTOBER.cutoff("UTC") - timedelta(days=number)) for number in (1, 2, 3)]
    fill_lake(Lake(settings.lake_path), tables(**{t: [r for one in lives for r in one[t]] for t in lives[0]}), OCTOBER)
    return settings


OPTIONAL = sorted(name for name, table in contract().items() if not table.is_required and name != "billing_closes")


@pytest.mark.parametrize("left_out", OPTIONAL)
def test_without_an_optional_table_its_indices_are_missing_and_all_others_as_they_were(firms, policy, left_out):
    whole = measured(firms, policy, OCTOBER)
    folder = Lake(firms.lake_path).path(left_out)
    folder.mkdir(exist_ok=True)  # of account balances the firms have none
    aside = folder.rename(folder.with_name("aside"))
    try:
        found = measured(firms, policy, OCTOBER)
    finally:
        aside.rename(folder)
    lost = [name for name, index in policy.indices.items() if left_out in index.needs]
    assert lost or left_out in ("arrears", "account_balances")
    for name in lost:
        assert set(found[name].to_pylist()) == set(found[f"{name}_band"].to_pylist()) == {None}
        assert set(found[f"{name}_missing"].to_pylist()) == {True}
    changed = [*(f"{name}{suffix}" for name in lost for suffix in ("", "_missing", "_band"))]
    changed += [fact for fact in rule_facts() if left_out in FACTS_OF.get(fact, ())]
    changed += ["rules_in_force"] if any(left_out in told_by for told_by in FACTS_OF.values()) else []
    if left_out == "arrears":
        # The bills alone say less of the time before the lake, and so of all that was open since.
        payment = [name for name, index in policy.indices.items() if index.group == "payment"]
        changed += [f"{name}{suffix}" for name in payment for suffix in ("", "_missing", "_band")]
        changed += ["is_in_default", "is_default_by_register"]
    assert found.drop_columns(changed).equals(whole.drop_columns(changed))


def test_threads_order_of_rows_and_size_of_a_part_change_nothing(sample, as_it_was, home, policy, monkeypatch):
    shuffled = {name: rows.take(pa.array(range(len(rows))[::-1], pa.int64())) for name, rows in sample.items()}
    fill_lake(Lake(home.lake_path), shuffled, MONTH)
    alone = Settings(home=home.home, threads=1)
    assert measured(alone, policy).equals(as_it_was)
    monkeypatch.setattr(DuckDBEngine, "customers_at_once", 250)
    assert measured(home, policy).equals(as_it_was)


def test_missing_values_are_flagged_filled_and_banded_by_the_policy(small, policy):
    late = bill(2, OCTOBER - 1, due_on=date(2026, 10, 22))  # open for 10 days at the cut-off
    row = small(policy, customers=[customer(1), customer(2)], bills=[late], collection_events=[NOTICE])
    nothing, open_bill = row["C001"], row["C002"]
    assert (nothing["bills"], nothing["is_thin_file"], nothing["is_in_default"]) == (0, True, False)
    assert (nothing["max_days_past_due"], nothing["max_days_past_due_missing"]) == (None, True)
    assert nothing["max_days_past_due_band"] is None
    assert (nothing["arrears_recovery_rate"], nothing["arrears_recovery_rate_missing"]) == (1.0, True)
    assert nothing["arrears_recovery_rate_band"] == "A"
    assert (nothing["decayed_delinquency"], nothing["decayed_delinquency_missing"]) == (0.0, False)
    assert (open_bill["bills"], open_bill["max_days_past_due"], open_bill["max_days_past_due_band"]) == (1, 10.0, "B")
    assert (open_bill["arrears_ratio"], open_bill["arrears_ratio_band"]) == (1.0, "C")
    assert (open_bill["arrears_recovery_rate"], open_bill["arrears_recovery_rate_band"]) == (0.0, "D")


@pytest.mark.parametrize(("days", "band"), [(0, "A"), (1, "B"), (15, "B"), (16, "C"), (45, "C"), (46, "D")])
def test_a_value_on_a_bound_has_the_better_band(small, policy, days, band):
    row = small(
        policy,
        customers=[customer(1)],
        bills=[bill(1, OCTOBER - 2, due_on=date(2026, 11, 1) - timedelta(days=days))],
    )["C001"]
    assert (row["max_days_past_due"], row["max_days_past_due_band"]) == (days, band)


def test_a_default_is_flagged_and_rows_in_quarantine_are_not_there(home, policy):
    lake = Lake(home.lake_path)
    old = [bill(number, OCTOBER - 4) for number in (1, 2)]
    fill_lake(lake, tables(customers=[customer(1), customer(2)], bills=old), OCTOBER)
    quarantine(lake, "bills", OCTOBER - 4, [0])
    first, second = measured(home, policy, OCTOBER).to_pylist()
    assert (first["bills"], first["is_in_default"]) == (0, False)
    assert (second["bills"], second["is_in_default"]) == (1, True)


def test_a_bill_recorded_late_is_known_now_and_was_not_then(home, policy):
    late = bill(1, OCTOBER, recorded_at=instant(date(2026, 11, 20)))
    lake = Lake(home.lake_path)
    fill_lake(lake, tables(customers=[customer(1)], bills=[late]), OCTOBER, OCTOBER + 1)
    assert measured(home, policy, OCTOBER)["bills"].to_pylist() == [0]
    assert measured(home, policy, OCTOBER, "as_known_now")["bills"].to_pylist() == [1]


def test_a_month_that_was_not_extracted_is_one_clear_line(home, policy):
    fill_lake(Lake(home.lake_path), tables(bills=[bill(1, OCTOBER)]), OCTOBER)
    with pytest.raises(LakeError, match=r"the lake has no customers of 2026-11: extract 2026-11 first"):
        measured(home, policy, OCTOBER + 1)


def test_the_basis_and_the_index_columns_must_exist(home, policy, tmp_path):
    with pytest.raises(ConfigError, match="'as_of_now' is not a basis: choose as_known_then or as_known_now"):
        measured(home, policy, basis="as_of_now")
    (tmp_path / "policy.yaml").write_text(
        "indices: {moon: {code: M1, group: payment, meaning: the moon, unit: phases, window_months: 1, direction: '+', "
        "missing: 0, bands: [3, 2, 1], reason: {en: The moon was dark, zh: 月黑}}}"
    )
    fill_lake(Lake(home.lake_path), tables(customers=[customer(1)]), OCTOBER)
    with pytest.raises(ConfigError, match=r"policy indices.moon: sql/lake/indices/payment.sql returns no column"):
        measured(home, Policy.load(tmp_path / "policy.yaml"), OCTOBER)


def test_the_hash_of_the_input_moves_with_the_facts_a_month_reads_and_no_others(home, policy):
    lake = Lake(home.lake_path)

    def sha256():
        compute_indices(OCTOBER, home, policy)
        return lake.manifest("indices", rating_month=OCTOBER, basis="as_known_then")["input_sha256"]

    fill_lake(lake, tables(customers=[customer(1)], bills=[bill(1, OCTOBER)]), OCTOBER)
    first = sha256()
    fill_lake(lake, tables(bills=[bill(1, OCTOBER + 1)]))
    assert sha256() == first
    fill_lake(lake, tables(bills=[bill(1, OCTOBER - 1)]))
    assert sha256() != first
