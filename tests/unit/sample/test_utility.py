"""The synthetic utility keeps the contract, its books balance, and it shows all that a real one does."""

import tracemalloc
from collections import defaultdict
from datetime import date

import pyarrow as pa
import pytest

from pipeline.month import RatingMonth
from pipeline.sample import Utility, fill_source, generate
from pipeline.source import contract
from pipeline.source.write import arrow_schema
from tests.support.billing_simulation import account

LAST = RatingMonth(2026, 10)
CUTOFFS = ("2025-03-01", "2025-12-01", "2026-11-01")


def scalar(engine, query: str, *parameters):
    return engine.execute(query, parameters).fetchall()[0][0]


def fingerprint(*arguments, **options) -> list[tuple]:
    return [(name, batch.num_rows, batch.to_pydict()) for name, batch in generate(*arguments, **options)]


def test_equal_arguments_give_equal_rows_and_another_seed_gives_others():
    first = fingerprint(300, 4, seed=1)
    assert fingerprint(300, 4, seed=1) == first
    assert fingerprint(300, 4, seed=2) != first


def test_batches_come_in_contract_types_and_in_the_order_of_the_months_of_recording():
    seen = RatingMonth(2026, 7)
    for name, batch in generate(500, 4):
        assert batch.schema == arrow_schema(name)
        if not batch.num_rows:
            continue
        months = {RatingMonth.of(at) for at in batch[contract()[name].recorded_column].to_pylist()}
        if name == "billing_closes":
            months = {month - 1 for month in months}
        assert len(months) == 1
        assert seen <= max(months)
        seen = max(months)
    assert seen == LAST


@pytest.mark.parametrize("name", contract())
def test_every_row_keeps_the_contract(small, name):
    table = contract()[name]
    rows = scalar(small, f"select count(*) from {name}")
    assert rows > 0
    for column in table.required_columns:
        assert scalar(small, f"select count(*) from {name} where {column} is null") == 0, column
    for check in table.checks:
        assert scalar(small, f"select count(*) from {name} where not ({check.sql})") == 0, check.name
    assert scalar(small, f"select count(*) from (select distinct {', '.join(table.key)} from {name})") == rows


@pytest.mark.parametrize("name", contract())
def test_what_a_row_refers_to_was_recorded_by_the_same_month(small, name):
    for reference in contract()[name].references:
        dangling = scalar(
            small,
            f"""
            select count(*)
            from {name} as row
            where row.{reference.column} is not null
                and not exists (
                    select 1
                    from {reference.table} as other
                    where other.{reference.referred_column} = row.{reference.column}
                        and date_trunc('month', other.recorded_at) <= date_trunc('month', row.recorded_at)
                )
            """,
        )
        assert dangling == 0, reference.name


def test_every_month_closes_hours_after_its_end(small):
    hours = small.execute(
        "select distinct date_diff('hour', billing_month + interval 1 month, closed_at) from billing_closes"
    ).fetchall()
    assert hours == [(5,)]
    assert scalar(small, "select max(billing_month)::varchar from billing_closes") == "2026-10-01"
    assert scalar(small, "select count(*) from billing_closes") == 24


def test_it_shows_every_kind_of_payment_bill_and_customer(small):
    paid = "payments join bills using (bill_id)"
    covering = "select count(*) from bills where date_diff('month', period_start, period_end) = {}"
    nameless = "select customer_id from payments group by customer_id having max(bill_id) is null"
    kinds = {
        "on time": f"select count(*) from {paid} where paid_on <= due_on and paid_on > issued_on",
        "late": f"select count(*) from {paid} where paid_on > due_on",
        "split": "select count(*) from (select bill_id from payments group by bill_id having count(*) = 2)",
        "unallocated": "select count(*) from payments where bill_id is null",
        "overpaid": f"select count(*) from {paid} where payments.amount > bills.amount",
        "reversed": "select count(*) from payments where reverses_payment_id is not null",
        "returned": "select count(*) from collection_events where event_type = 'returned_payment'",
        "recorded late": "select count(*) from payments where date_diff('month', paid_on, recorded_at::date) >= 1",
        "bill recorded late": "select count(*) from bills where date_diff('month', issued_on, recorded_at::date) >= 1",
        "of two months": covering.format(2),
        "of three months": covering.format(3),
        "of a year": covering.format(12),
        "fed in": "select count(*) from bills where kwh < 0",
        "credit note": "select count(*) from bills where amount < 0 and cancels_bill_id is null and kwh is null",
        "paid ahead": "select count(*) from payments where payment_id like '%-81'",
        "naming no bill": f"select count(*) from ({nameless})",
        "cancelled": "select count(*) from bills where cancels_bill_id is not null and amount < 0",
        "replaced": "select count(*) from bills where cancels_bill_id is not null and amount > 0",
        "estimated": "select count(*) from bills where is_estimated",
        "new": "select count(*) from customers where connected_on >= '2025-01-01'",
        "closed": "select count(*) from customers where closed_on is not null",
        "came back": "select count(*) from (select customer_id from customers group by 1 having count(*) >= 3)",
        "theft": "select count(*) from violations where violation_type = 'theft'",
    }
    assert {kind: scalar(small, query) > 0 for kind, query in kinds.items()} == dict.fromkeys(kinds, True)
    events = small.execute("select distinct event_type from collection_events order by 1").fetchall()
    known = {check.name: check for check in contract()["collection_events"].checks}["collection_events_type_is_known"]
    assert [event for (event,) in events] == sorted(known.values)


def test_most_bills_are_paid_in_time_and_about_one_payment_in_a_hundred_is_booked_late(small):
    in_time = """
        select avg((coalesce(paid, 0) >= amount)::integer)
        from bills
        left join (
            select bill_id, sum(payments.amount) as paid
            from payments
            join bills using (bill_id)
            where paid_on <= due_on and reverses_payment_id is null
            group by bill_id
        ) using (bill_id)
        where amount > 0
            and customer_id in (select customer_id from payments group by 1 having count(bill_id) > 0.9 * count(*))
            and bill_id not in (select cancels_bill_id from bills where cancels_bill_id is not null)
    """
    assert 0.88 < scalar(small, in_time) < 0.96
    late = "select avg((date_diff('month', paid_on, recorded_at::date) >= 1)::integer) from payments"
    assert 0.005 < scalar(small, late) < 0.02


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_the_arrears_register_agrees_with_the_bills_and_payments_known_then(small, cutoff):
    register = dict(
        (customer, (amount, days))
        for customer, amount, days in small.execute(
            "select customer_id, amount_overdue, days_past_due from arrears where as_of = $1::date - 1", [cutoff]
        ).fetchall()
    )
    recomputed = overdue(small, cutoff)
    assert len(register) > 100
    assert register == recomputed


def overdue(engine, cutoff: str) -> dict[str, tuple]:
    """Amount overdue and days past due by customer, from the facts known before the cut-off, one account at a time."""
    as_of = date.fromisoformat(cutoff)
    lost = "select customer_id from collection_events where event_type = 'write_off' and occurred_on < $1::date"
    known = "select * from {} where recorded_at < $1::timestamptz and customer_id not in (" + lost + ")"
    facts = {name: engine.sql(known.format(name), params=[cutoff]).to_arrow_table() for name in ("bills", "payments")}
    by_customer = {name: defaultdict(list) for name in facts}
    for name, rows in facts.items():
        for row in rows.to_pylist():
            by_customer[name][row["customer_id"]].append(row)
    found = {}
    for customer, bills in by_customer["bills"].items():
        status = account(customer, bills, by_customer["payments"][customer], as_of).bills
        late = {
            bill["bill_id"]: (as_of - bill["due_on"]).days - 1
            for bill in bills
            if bill["bill_id"] in status and status[bill["bill_id"]]["unpaid"] and (as_of - bill["due_on"]).days > 1
        }
        if late:
            found[customer] = (sum(status[name]["unpaid"] for name in late), max(late.values()))
    return found


def test_memory_does_not_grow_with_the_months():
    utility = Utility(2_000, 30, LAST)
    held = []
    tracemalloc.start()
    for month in range(30):
        for _ in utility.live(month):
            pass
        held.append(pa.total_allocated_bytes() + tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(held[20:]) < 1.3 * max(held[6:12])


def test_fill_source_fills_a_database_and_tells_how_far_it_is(settings):
    from sqlalchemy import text

    from pipeline.database import connect

    calls = []
    rows = fill_source(settings, 200, 5, progress=lambda month, done, months: calls.append((str(month), done, months)))

    assert set(rows) == set(contract())
    assert calls[0] == ("2026-06", 1, 5)
    assert calls[-1] == ("2026-10", 5, 5)
    with connect(settings.source).connect() as connection:
        for name, count in rows.items():
            assert connection.execute(text(f"select count(*) from {name}")).scalar() == count
