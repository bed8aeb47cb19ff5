"""The accounts of the sample: with and without the bills' numbers on the payments, with a longer and a shorter lake."""

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.customers.accounts import GIVEN, Accounts, bound_by_range
from pipeline.customers.compute_indices import compute_indices
from pipeline.customers.parameters import parameters
from pipeline.engine import open_engine, queries
from pipeline.engine.duckdb import DuckDBEngine
from pipeline.lake import Lake, known_records
from pipeline.lake.known_records import KnownRecords
from pipeline.sample import LAST
from pipeline.sample.utility import Utility
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema
from tests.support.records.lake import fill_lake

TABLES = ("customers", "bills", "payments", "account_balances")
PAID = (
    "on_time_payment_rate",
    "amount_weighted_days_late",
    "max_days_past_due",
    "arrears_ratio",
    "arrears_recovery_rate",
)
NEWER_BEFORE_OLDER = """
with live as (
    select * from bills where amount > 0 and bill_id not in (select cancels_bill_id from bills where amount <> 0
        and cancels_bill_id is not null)
),
money as (
    select p.payment_id, p.customer_id, p.bill_id, p.paid_on, p.amount - coalesce(r.amount, 0) as amount
    from payments as p
    left join (
        select reverses_payment_id, sum(amount) as amount from payments group by reverses_payment_id
    ) as r on r.reverses_payment_id = p.payment_id
    where p.reverses_payment_id is null
)
select distinct m.customer_id
from money as m
join live as newer on newer.bill_id = m.bill_id
join live as older on older.customer_id = m.customer_id
    and (older.due_on, older.issued_on, older.bill_id) < (newer.due_on, newer.issued_on, newer.bill_id)
where m.amount > 0
    and older.amount - 0.05 > (
        select coalesce(sum(o.amount), 0) from money as o
        where o.bill_id = older.bill_id and (o.paid_on, o.payment_id) < (m.paid_on, m.payment_id)
    )
"""
BALANCES = """
with known as (select * from bills where recorded_at < $known and issued_on <= $as_of),
received as (select * from payments where recorded_at < $known and paid_on <= $as_of)
select c.customer_id, $as_of as as_of, cast(coalesce(b.billed, 0) - coalesce(p.paid, 0) as decimal(18, 2)) as balance,
    $known as recorded_at
from (select distinct customer_id from customers where recorded_at < $known) as c
left join (
    select customer_id, sum(amount) as billed from known
    where bill_id not in (select cancels_bill_id from known where cancels_bill_id is not null)
        and (amount > 0 or cancels_bill_id is null)
    group by customer_id
) as b using (customer_id)
left join (
    select customer_id, sum(case when reverses_payment_id is null then amount else -amount end) as paid
    from received group by customer_id
) as p using (customer_id)
"""


@pytest.fixture(scope="module")
def records(sample):
    return {name: sample[name] for name in TABLES}


@pytest.fixture(scope="module")
def indices(policy, tmp_path_factory):
    """``indices(records)``: those of the last month, a row a customer by id."""

    def computed(records) -> dict[str, dict]:
        settings = Settings(home=tmp_path_factory.mktemp("home"), threads=2)
        lake = Lake(settings.lake_path)
        fill_lake(lake, records, LAST)
        compute_indices(LAST, settings, policy)
        [file] = lake.files("indices", rating_month=LAST, basis="as_known_then")
        return {row["customer_id"]: row for row in pq.read_table(file).to_pylist()}

    return computed


@pytest.fixture(scope="module")
def whole(records, indices):
    return indices(records)


def query(records, sql: str, **parameters) -> pa.Table:
    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'")
        for name, rows in records.items():
            database.register(name, rows)
        return database.sql(sql, params=parameters or None).to_arrow_table()


def test_without_the_bills_numbers_only_who_paid_a_newer_bill_before_an_older_one_is_another(records, indices, whole):
    payments = records["payments"]
    unnamed = payments.set_column(
        payments.column_names.index("bill_id"), "bill_id", pa.nulls(len(payments), pa.string())
    )
    without = indices(records | {"payments": unnamed})
    changed = {name for name, row in whole.items() if any(row[index] != without[name][index] for index in PAID)}
    out_of_order = set(query(records, NEWER_BEFORE_OLDER)["customer_id"].to_pylist())
    assert len(changed) > 20
    assert changed <= out_of_order
    assert len(whole) - len(out_of_order) > 300


@pytest.mark.parametrize(("months", "beyond"), [(26, set()), (24, {"arrears_recovery_rate"})])
def test_with_account_balances_a_shorter_history_gives_the_same_indices(
    records, policy, indices, whole, months, beyond
):
    """``beyond``: the index whose window reaches further back."""
    same_indices(records, policy, indices, whole, months, beyond)


@pytest.mark.slow
def test_with_account_balances_26_months_give_the_indices_of_48(policy, indices):
    batches = {}
    for name, batch in Utility(600, 48, LAST).batches():
        batches.setdefault(name, []).append(batch)
    records = {name: pa.Table.from_batches(batches[name]) for name in TABLES}
    same_indices(records, policy, indices, indices(records), 26, set())


def same_indices(records, policy, indices, whole, months, beyond):
    """The last months of these records, with the balances before them, give the indices of all of them."""
    first = LAST - (months - 1)
    begins = (first - 1).cutoff("UTC")
    balances = query(records, BALANCES, as_of=first.first_day - timedelta(days=1), known=begins)
    shorter = {name: rows.filter(pc.field("recorded_at") >= begins) for name, rows in records.items()}
    found = indices(
        shorter
        | {"customers": records["customers"], "account_balances": balances.cast(arrow_schema("account_balances"))}
    )
    assert found.keys() == whole.keys()
    compared = [*(policy.indices.keys() - beyond), "is_in_default"]
    other = {
        (customer, name): (row[name], found[customer][name])
        for customer, row in whole.items()
        for name in compared
        if row[name] != found[customer][name]
    }
    assert other == {}


class TestKept:
    """The partitions of a month's accounts."""

    @pytest.fixture
    def home(self, sample_lake, tmp_path):
        copied = Settings(home=tmp_path, threads=2)
        shutil.copytree(sample_lake, copied.lake_path)
        return copied

    @pytest.fixture
    def kept(self, home, policy):
        """``kept(policy)``: the rows of the partition ``bill_status``, and when it was written."""

        def read(policy=policy):
            with open_engine(home) as engine:
                files = Accounts.of(engine, KnownRecords(Lake(home.lake_path), policy, LAST)).files["bill_status"]
            rows = pq.read_table(files, partitioning=None)
            return rows.sort_by([("customer_id", "ascending"), ("bill_id", "ascending")]), [
                Path(file).stat().st_mtime_ns for file in files
            ]

        return read

    def test_they_are_what_the_queries_give_and_are_written_once(self, home, policy, kept, monkeypatch):
        monkeypatch.setattr(DuckDBEngine, "customers_at_once", 250)
        rows, written = kept()
        assert len(written) > 1
        with open_engine(home) as engine:
            KnownRecords(Lake(home.lake_path), policy, LAST).bind(engine)
            query = queries.compose("select * from bill_status order by customer_id, bill_id")
            expected = engine.fetch(query, parameters(policy, LAST))
        assert rows.to_pylist() == expected.to_pylist()
        assert kept()[1] == written

    def test_indices_are_the_same_whether_they_are_kept_already_or_computed_on_the_way(self, home, policy, monkeypatch):
        monkeypatch.setattr(DuckDBEngine, "customers_at_once", 250)
        lake, keys, hashes = Lake(home.lake_path), {"rating_month": LAST, "basis": "as_known_then"}, []
        for is_kept in (False, True):
            assert lake.has("bill_status", **keys) is is_kept
            compute_indices(LAST, home, policy)
            hashes.append(lake.manifest("indices", **keys)["sha256"])
        assert hashes[0] == hashes[1]

    def test_a_month_that_breaks_off_leaves_none(self, home, policy, monkeypatch):
        monkeypatch.setattr(DuckDBEngine, "customers_at_once", 250)
        lake = Lake(home.lake_path)
        with open_engine(home) as engine:
            known = KnownRecords(lake, policy, LAST)
            with closing(bound_by_range(engine, known)) as parts:
                assert next(parts) == GIVEN
            assert not lake.has("bill_status", rating_month=LAST, basis="as_known_then")
            assert len(list(bound_by_range(engine, known))) > 1
        assert lake.has("bill_status", rating_month=LAST, basis="as_known_then")

    def test_of_another_policy_or_of_other_records_they_are_made_again(self, home, policy, kept):
        _, written = kept()
        accounts = policy.accounts.model_copy(update={"settlement_tolerance": 0})
        rows, again = kept(policy.model_copy(update={"accounts": accounts}))
        assert again != written
        assert not any(row["written_off"] for row in rows.to_pylist() if row["written_off_on"] is None)
        _, written = kept()
        lake = Lake(home.lake_path)
        [file] = lake.files("payments", recorded_month=LAST)
        fewer = pq.read_table(file)[:-100]
        lake.remove("payments", recorded_month=LAST)
        with lake.writing("payments", recorded_month=LAST) as partition:
            pq.write_table(fewer, partition.folder / "part-0.parquet")
            partition.manifest(rows=len(fewer))
        known_records._partition.cache_clear()
        assert kept()[1] != written

    def test_what_was_lost_is_made_again(self, home, kept):
        rows, _ = kept()
        Lake(home.lake_path).remove("credited", rating_month=LAST, basis="as_known_then")
        assert kept()[0].equals(rows)
