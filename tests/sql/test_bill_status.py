"""What has become of each bill: the queries against a second implementation in plain Python, and by hand."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.engine import open_engine, queries
from pipeline.lake.known_records import lake_begins
from pipeline.maintenance.case_tables import SCHEMAS
from pipeline.settings import Settings
from tests.support.billing_simulation import (
    FIRST_DAY,
    TOLERANCE,
    account,
    bill,
    histories,
    opening_balance,
    openings,
    payment,
)

AS_OF = date(2026, 7, 1)
STATUS = """
select
    customer_id,
    bill_id,
    paid,
    unpaid,
    written_off,
    written_off_on,
    paid_by_due,
    settled_on,
    credit,
    credit_on
from bill_status
"""
LEFT = """
select
    c.customer_id,
    c.amount - coalesce(u.amount, 0) as unused
from (select customer_id, sum(amount) as amount from credits group by customer_id) as c
left join (select customer_id, sum(amount) as amount from credited group by customer_id) as u
    on u.customer_id = c.customer_id
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


@pytest.fixture(scope="module")
def accounts(engine):
    """Tables in; by customer, what has become of each bill by bill_id, and what is left of the credits."""

    def run(bills, payments, as_of=AS_OF, register_begins=None, **tables):
        known_before = register_begins and datetime.combine(register_begins + timedelta(days=1), time(0), UTC)
        tables |= {"bills": bills, "payments": payments}
        for name, schema in SCHEMAS.items():
            engine.bind_table(name, pa.Table.from_pylist(tables.get(name, []), schema))
        engine.bind_table("lake_begins", lake_begins(FIRST_DAY, register_begins, known_before))
        bound = {"as_of": as_of, "settlement_tolerance": TOLERANCE}
        status = {}
        for row in engine.fetch(queries.compose(STATUS), bound).to_pylist():
            status.setdefault(row.pop("customer_id"), {})[row.pop("bill_id")] = row
        return status, dict(engine.fetch(queries.compose(LEFT), bound).to_pandas().itertuples(index=False))

    return run


def expected_accounts(bills, payments, tables, register_begins, as_of):
    """The same from the second implementation."""
    found = {}
    for row in tables["customers"]:
        customer = row["customer_id"]
        own = {name: [r for r in rows if r["customer_id"] == customer] for name, rows in tables.items()}
        own_bills = [b for b in bills if b["customer_id"] == customer]
        own_payments = [p for p in payments if p["customer_id"] == customer]
        balances = sorted(own["account_balances"], key=lambda r: r["recorded_at"])
        opening = opening_balance(
            row["connected_on"],
            own_bills,
            own_payments,
            as_of,
            records_begin=FIRST_DAY,
            balances=[(r["as_of"], r["balance"], r["recorded_at"]) for r in balances],
            register=[(r["as_of"], r["amount_overdue"]) for r in own["arrears"]],
            register_begins=register_begins,
        )
        lost = [(r["occurred_on"], r["amount"]) for r in own["collection_events"]]
        found[customer] = account(customer, bills, payments, as_of, opening=opening, write_offs=lost)
    return found


def twelve(data):
    """The bills and payments of twelve drawn histories, their other tables, and when the register begins."""
    bills, payments = [], []
    for n in range(12):
        more_bills, more_payments = data.draw(histories(f"{n}-"))
        bills += more_bills
        payments += more_payments
    names = sorted({row["customer_id"] for row in (*bills, *payments)})
    tables, register_begins = data.draw(openings(names))
    return bills, payments, tables, register_begins


@trials(max_examples=12, deadline=None)
@given(st.data(), st.randoms(use_true_random=False))
def test_every_bill_is_as_in_the_second_implementation_whatever_the_order_of_rows(accounts, data, random):
    bills, payments, tables, register_begins = twelve(data)
    as_of = AS_OF - timedelta(days=data.draw(st.sampled_from([0, 60, 130])))
    expected = expected_accounts(bills, payments, tables, register_begins, as_of)
    for rows in (bills, payments, *tables.values()):
        random.shuffle(rows)
    status, left = accounts(bills, payments, as_of, register_begins, **tables)
    for name, found in expected.items():
        assert status.get(name, {}) == found.bills
        assert left.get(name, 0) == found.left
        # Nothing is lost and nothing made up, whichever of the two worked it out.
        own = [b for b in bills if b["customer_id"] == name and b["issued_on"] < as_of]
        gone = {b["cancels_bill_id"] for b in own}
        of_bills = status.get(name, {}).values()
        billed = sum(b["amount"] for b in own if b["amount"] > 0)
        cancelled = sum(b["amount"] for b in own if b["amount"] > 0 and b["bill_id"] in gone)
        owed = billed - cancelled + max(found.opening, 0)
        assert owed == sum(row["paid"] + row["unpaid"] + row["written_off"] for row in of_bills)
        received = _received(payments, name, as_of) + max(-found.opening, 0)
        received -= sum(
            b["amount"] for b in own if b["amount"] < 0 and not b["cancels_bill_id"] and b["bill_id"] not in gone
        )
        assert received == sum(row["paid"] for row in of_bills) + left.get(name, 0)


@trials(max_examples=8, deadline=None)
@given(st.data())
def test_who_had_overdue_bills_at_the_start_of_a_campaign_is_among_those_looked_at(engine, accounts, data):
    bills, payments, tables, register_begins = twelve(data)
    start = AS_OF - timedelta(days=data.draw(st.sampled_from([30, 61, 92])))
    accounts(bills, payments, AS_OF, register_begins, **tables)
    bound = {"as_of": AS_OF, "settlement_tolerance": TOLERANCE, "window_start": start}
    looked_at = engine.fetch(queries.compose("select * from perhaps_overdue_at_start"), bound)
    expected = expected_accounts(bills, payments, tables, register_begins, start)
    due = {b["bill_id"]: b["due_on"] for b in bills}
    overdue = {
        name
        for name, found in expected.items()
        for bill_id, row in found.bills.items()
        if row["unpaid"] > 0 and due.get(bill_id, start - timedelta(days=1)) < start
    }
    assert overdue <= set(looked_at["customer_id"].to_pylist())


def _received(payments, customer, as_of):
    """What was paid, less what was taken back: of each payment, never more than it was."""
    own = [p for p in payments if p["customer_id"] == customer and p["paid_on"] < as_of]
    back = {p["payment_id"]: 0 for p in own if not p["reverses_payment_id"]}
    for p in own:
        if p["reverses_payment_id"] in back:
            back[p["reverses_payment_id"]] += p["amount"]
    return sum(max(0, p["amount"] - back[p["payment_id"]]) for p in own if not p["reverses_payment_id"])


def test_money_that_names_a_bill_pays_that_bill_and_the_rest_goes_to_the_oldest(accounts):
    bills = [
        bill("may", "c", 100, date(2026, 5, 1), date(2026, 5, 20)),
        bill("june", "c", 80, date(2026, 6, 1), date(2026, 6, 20)),
    ]
    payments = [
        payment("1", "c", 90, date(2026, 6, 5), names="june"),  # 10 too much: they go to May
        payment("2", "c", 60, date(2026, 5, 10)),
        payment("3", "c", 30, date(2026, 6, 25)),
    ]
    found = accounts(bills, payments)[0]["c"]
    assert found["june"]["settled_on"] == date(2026, 6, 5)
    assert found["may"]["settled_on"] == date(2026, 6, 25)
    assert (found["may"]["paid_by_due"], found["may"]["credit"]) == (60, 100)


def test_a_bill_that_replaces_the_first_of_all_inherits_its_money(accounts):
    bills = [
        bill("wrong", "c", 100, date(2026, 5, 1), date(2026, 5, 20)),
        bill("right", "c", 70, date(2026, 5, 25), date(2026, 6, 20), cancels="wrong"),
    ]
    payments = [payment("1", "c", 100, date(2026, 5, 15), names="wrong")]
    assert list(accounts(bills, payments, date(2026, 5, 21))[0]["c"]) == ["wrong"]
    status, left = accounts(bills, payments)
    assert list(status["c"]) == ["right"]
    assert (status["c"]["right"]["paid"], status["c"]["right"]["settled_on"]) == (70, date(2026, 5, 15))
    assert left == {"c": 30}


def test_what_is_taken_back_is_open_again_from_that_day_on(accounts):
    bills = [bill("may", "c", 100, date(2026, 5, 1), date(2026, 5, 20))]
    payments = [
        payment("1", "c", 100, date(2026, 5, 15), names="may"),
        payment("2", "c", Decimal("40.01"), date(2026, 6, 10), names="may", reverses="1"),
    ]
    assert accounts(bills, payments, date(2026, 6, 10))[0]["c"]["may"]["unpaid"] == 0
    found = accounts(bills, payments)[0]["c"]["may"]
    assert (found["paid"], found["unpaid"], found["settled_on"]) == (Decimal("59.99"), Decimal("40.01"), None)


def test_a_cent_short_every_month_never_adds_up_to_a_debt(accounts):
    days = [date(2026, month, 1) for month in range(1, 7)]
    bills = [bill(f"b{n}", "c", 100, day, day.replace(day=20)) for n, day in enumerate(days)]
    short = Decimal("99.98")
    payments = [payment(f"p{n}", "c", short, day.replace(day=15)) for n, day in enumerate(days)]
    status, left = accounts(bills, payments)
    assert left == {"c": 0}
    for n, day in enumerate(days):
        found = status["c"][f"b{n}"]
        assert (found["settled_on"], found["unpaid"], found["written_off"]) == (day.replace(day=15), 0, 100 - short)
