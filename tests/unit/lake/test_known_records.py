"""What the queries are given: dates, numbers of the policy, and the facts that a month may know."""

import shutil
from datetime import UTC, date, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from pipeline.customers.index_values import write_indices
from pipeline.customers.parameters import label_parameters, parameters
from pipeline.engine import open_engine, queries
from pipeline.errors import LakeError
from pipeline.lake import QUARANTINE, Lake
from pipeline.lake.known_records import KnownRecords, families
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from tests.support.records.billing import bill, customer, payment
from tests.support.records.lake import fill_lake, quarantine, tables

OCTOBER = RatingMonth(2026, 10)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def engine(tmp_path):
    with open_engine(Settings(home=tmp_path / "home", threads=2)) as engine:
        yield engine


def ids(engine, table, column):
    return engine.fetch(queries.compose(f"select {column} from {table} order by 1"))[column].to_pylist()


def test_dates_count_back_from_the_cutoff(policy):
    leap = parameters(policy, RatingMonth(2024, 2))
    assert {name: leap[name] for name in ("as_of", "months_ago_1", "months_ago_12", "months_ago_15")} == {
        "as_of": date(2024, 3, 1),
        "months_ago_1": date(2024, 2, 1),
        "months_ago_12": date(2023, 3, 1),
        "months_ago_15": date(2022, 12, 1),
    }
    windows = {name: leap[f"since_{name}"] for name in ("arrears_ratio", "consumption_trend", "grid_accident_impact")}
    assert list(windows.values()) == [date(2023, 3, 1), date(2022, 12, 1), date(2021, 3, 1)]
    assert leap["year_after_since_consumption_trend"] == date(2023, 12, 1)
    assert (leap["statements_since"], leap["social_ratings_since"]) == (date(2022, 9, 1), date(2022, 3, 1))
    shanghai = policy.model_copy(update={"timezone": "Asia/Shanghai"})
    assert parameters(shanghai, RatingMonth(2024, 2))["as_of_at"] == datetime(2024, 2, 29, 16, tzinfo=UTC)
    label = label_parameters(policy, RatingMonth(2023, 8))
    assert label | {"cohort_as_of": date(2023, 9, 1), "cohort_months_ago_12": date(2022, 9, 1)} == label
    assert {name: label[name] for name in leap} == leap


def test_every_segment_has_the_limit_of_its_family(policy):
    rows = families(policy).to_pylist()
    assert {row["segment"]: (row["family"], row["days_past_due"]) for row in rows} == {
        "residential": ("residential", 60),
        **{name: ("non_residential", 90) for name in ("commercial", "industrial", "agricultural", "public")},
    }


def test_of_accounts_a_month_reads_all_that_was_recorded_before_its_cutoff(engine, lake, policy):
    recorded = {name: OCTOBER + offset for name, offset in (("next", 1), ("now", 0), ("first", -100))}
    bills = [bill(1, month, bill_id=name) for name, month in recorded.items()]
    fill_lake(lake, tables(customers=[customer(1)], bills=bills), OCTOBER)
    KnownRecords(lake, policy, OCTOBER).bind(engine)
    assert ids(engine, "bills", "bill_id") == ["first", "now"]
    assert ids(engine, "payments", "payment_id") == []
    assert ids(engine, "violations", "violation_id") == []  # a table that the source does not have
    KnownRecords(lake, policy, OCTOBER, known_in=OCTOBER + 1, customers_of=OCTOBER).bind(engine)
    assert ids(engine, "bills", "bill_id") == ["first", "next", "now"]


def test_what_was_recorded_at_the_instant_of_the_cutoff_is_of_the_next_month(engine, lake, policy):
    cutoff = OCTOBER.cutoff("UTC")
    bills = [
        bill(1, OCTOBER, bill_id="just before", recorded_at=cutoff - timedelta(microseconds=1)),
        bill(1, OCTOBER, bill_id="at it", recorded_at=cutoff),
    ]
    fill_lake(lake, tables(customers=[customer(1)], bills=bills), OCTOBER, OCTOBER + 1)
    KnownRecords(lake, policy, OCTOBER).bind(engine)
    assert ids(engine, "bills", "bill_id") == ["just before"]
    KnownRecords(lake, policy, OCTOBER, known_in=OCTOBER + 1).bind(engine)
    assert ids(engine, "bills", "bill_id") == ["at it", "just before"]


def test_a_table_is_absent_until_something_of_it_was_recorded(lake, policy):
    violation = {"violation_id": "V1", "customer_id": "C001", "violation_type": "theft"}
    violation |= {"detected_on": date(2026, 10, 5), "recorded_at": datetime(2026, 10, 6, tzinfo=UTC)}
    fill_lake(lake, tables(customers=[customer(1)], violations=[violation]), OCTOBER)
    absent = {month: KnownRecords(lake, policy, month).absent for month in (OCTOBER - 1, OCTOBER, OCTOBER + 70)}
    assert {month: "violations" in tables for month, tables in absent.items()} == {
        OCTOBER - 1: True,
        OCTOBER: False,
        OCTOBER + 70: True,  # what there is lies before all windows
    }
    assert "calibrations" in absent[OCTOBER]
    assert not absent[OCTOBER] & {"customers", "bills", "payments"}


def test_an_index_taken_away_leaves_the_others_of_its_group_as_they_were(engine, lake, policy, tmp_path):
    indices = {name: index for name, index in policy.indices.items() if name != "max_days_past_due"}
    without = policy.model_copy(update={"indices": indices})
    fill_lake(lake, tables(customers=[customer(1)], bills=[bill(1, OCTOBER - 3)]), OCTOBER)
    found = []
    for number, asked in enumerate((policy, without)):
        folder = tmp_path / str(number)
        folder.mkdir()
        [file] = write_indices(engine, KnownRecords(lake, asked, OCTOBER), folder).files
        found.append(pq.read_table(file))
    lost = [f"max_days_past_due{suffix}" for suffix in ("", "_missing", "_band")]
    assert found[1].equals(found[0].drop_columns(lost))


def test_only_some_customers_can_be_bound(engine, lake, policy):
    rows = tables(
        customers=[customer(n) for n in (1, 2, 3)],
        bills=[bill(n, OCTOBER) for n in (1, 2, 3)],
        payments=[payment(n, OCTOBER) for n in (1, 2, 3)],
    )
    fill_lake(lake, rows, OCTOBER)
    engine.bind_table("chosen", rows["customers"].slice(0, 2))
    KnownRecords(lake, policy, OCTOBER).bind(engine, only="chosen")
    for table in ("customers", "bills", "payments"):
        assert ids(engine, table, "customer_id") == ["C001", "C002"]
    KnownRecords(lake, policy, OCTOBER).bind(engine, within=("C002", None))
    assert ids(engine, "bills", "customer_id") == ["C002", "C003"]
    KnownRecords(lake, policy, OCTOBER).bind(engine, within=(None, "C002"))
    assert ids(engine, "bills", "customer_id") == ["C001"]


def test_records_in_quarantine_are_known_by_their_customer(engine, lake, policy):
    rows = tables(
        customers=[customer(n) for n in (1, 2)],
        bills=[bill(n, OCTOBER) for n in (1, 2)],
        payments=[payment(n, OCTOBER) for n in (1, 2)],
    )
    fill_lake(lake, rows, OCTOBER)
    quarantine(lake, "bills", OCTOBER, [0])
    quarantine(lake, "payments", OCTOBER, [0, 1])
    KnownRecords(lake, policy, OCTOBER).bind(engine)
    query = queries.compose("select * from quarantined_by_customer order by customer_id")
    assert [tuple(row.values()) for row in engine.fetch(query).to_pylist()] == [("C001", 2, 2), ("C002", 1, 1)]
    KnownRecords(lake, policy, OCTOBER).bind(engine, within=("C002", None))
    assert engine.fetch(query)["customer_id"].to_pylist() == ["C002"]


def test_facts_that_were_never_validated_are_not_measured(engine, lake, policy):
    fill_lake(lake, tables(customers=[customer(1)], bills=[bill(1, OCTOBER)]), OCTOBER)
    shutil.rmtree(lake.path(QUARANTINE + "bills"))
    with pytest.raises(LakeError, match=r"quarantine/bills/recorded_month=2026-10: run the step that writes"):
        KnownRecords(lake, policy, OCTOBER).bind(engine)


def test_the_last_month_known(lake, policy):
    for month in (OCTOBER, OCTOBER + 2):
        with lake.writing("bills", recorded_month=month) as partition:
            partition.manifest(rows=0)
    assert KnownRecords(lake, policy, OCTOBER, "as_known_then").known_in == OCTOBER
    assert KnownRecords(lake, policy, OCTOBER, "as_known_now").known_in == OCTOBER + 2
    assert KnownRecords(lake, policy, OCTOBER + 5, "as_known_now").known_in == OCTOBER + 5
