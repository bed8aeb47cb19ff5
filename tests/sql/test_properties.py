"""What must hold of the payment indices whatever the bills and the payments are."""

from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from billing_simulation import bill, histories, payment
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st
from small_tables import SCHEMAS

from pipeline import measure, queries
from pipeline.engine import open_engine
from pipeline.month import RatingMonth
from pipeline.settings import Settings

MONTH = RatingMonth(2026, 6)
AS_OF = (MONTH + 1).first_day
WORSE_IF_HIGHER = ("amount_weighted_days_late", "max_days_past_due", "arrears_ratio", "decayed_delinquency")


@pytest.fixture(scope="module")
def indices(tmp_path_factory, policy):
    """Bills, payments and events in, the payment indices by customer_id out."""
    query = queries.compose("select * from payment")
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        engine.bind_table("families", measure.families(policy))

        def run(bills=(), payments=(), events=(), customers=None):
            names = customers or sorted({row["customer_id"] for row in (*bills, *payments, *events)})
            known = [
                {"customer_id": name, "segment": "residential", "connected_on": AS_OF.replace(2010)} for name in names
            ]
            tables = {
                "customers": known,
                "bills": bills,
                "payments": payments,
                "collection_events": events,
                "arrears": [],
            }
            for name, rows in tables.items():
                engine.bind_table(name, pa.Table.from_pylist(list(rows), SCHEMAS[name]))
            found = engine.fetch(query, measure.parameters(policy, MONTH)).to_pylist()
            return {row.pop("customer_id"): row for row in found}

        yield run


@st.composite
def payers(draw):
    """Bills of one customer and payments of at most their amounts, all of which name a bill or none of which does."""
    bills, payments = [], []
    names_bills = draw(st.booleans())
    for n in range(draw(st.integers(1, 6))):
        issued = AS_OF - timedelta(days=draw(st.integers(1, 500)))
        amount = Decimal(draw(st.integers(1, 8)) * 25)
        bills.append(bill(f"b{n}", "c", amount, issued, issued + timedelta(days=20)))
        for part in range(draw(st.integers(0, 2))):
            paid = issued + timedelta(days=draw(st.integers(0, 120)))
            names = f"b{n}" if names_bills else None
            payments.append(payment(f"p{n}{part}", "c", amount / 2, paid, names=names))
    return bills, payments


def of(whose, rows):
    """The same rows as those of other customers."""
    names = ("customer_id", "bill_id", "payment_id", "cancels_bill_id", "reverses_payment_id")
    return [row | {name: f"{whose}-{row[name]}" for name in names if row.get(name)} for row in rows]


@trials(max_examples=30, deadline=None)
@given(payers(), st.data())
def test_to_pay_later_or_not_at_all_never_improves_an_index(indices, payer, data):
    bills, payments = payer
    changed = data.draw(st.integers(0, len(payments) - 1)) if payments else None
    delay = data.draw(st.sampled_from([1, 20, 90, None]))
    worse = [dict(row) for row in payments]
    if changed is not None and delay is None:
        del worse[changed]
    elif changed is not None:
        worse[changed]["paid_on"] += timedelta(days=delay)
    found = indices(of("before", bills) + of("worse", bills), of("before", payments) + of("worse", worse))
    was, now = found["before-c"], found["worse-c"]
    for name in WORSE_IF_HIGHER:
        assert now[name] is None or now[name] >= was[name], name
    assert now["on_time_payment_rate"] is None or now["on_time_payment_rate"] <= was["on_time_payment_rate"]
    # A late payment recovers something, so only to leave one out always lowers the rate; money that names no bill
    # moves on to others.
    if delay is None and all(row["bill_id"] for row in payments):
        recovered = [1 if row["arrears_recovery_rate"] is None else row["arrears_recovery_rate"] for row in (was, now)]
        assert recovered[1] <= recovered[0]


@trials(max_examples=15, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_neither_the_currency_nor_the_order_of_rows_changes_an_index(indices, history, random):
    bills, payments = history
    tenfold = [[row | {"amount": row["amount"] * 10} for row in of("tenfold", rows)] for rows in history]
    found = indices(bills + tenfold[0], payments + tenfold[1])
    as_it_was = {name: index for name, index in found.items() if not name.startswith("tenfold")}
    for customer, index in as_it_was.items():
        same = {name: value and pytest.approx(value, rel=1e-12) for name, value in index.items()}
        assert found[f"tenfold-{customer}"] == same
    random.shuffle(bills)
    random.shuffle(payments)
    assert indices(bills, payments) == as_it_was


EVENTS = (
    "overdue_notice",
    "returned_payment",
    "plan_agreed",
    "plan_broken",
    "disconnection",
    "reconnection",
    "write_off",
)


@trials(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, 1600)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_one_more_event_never_lowers_delinquency_and_age_does(indices, events, random):
    def rows(customer, events):
        return [
            {"customer_id": customer, "event_type": kind, "occurred_on": AS_OF - timedelta(days=days)}
            for kind, days in events
        ]

    shuffled = random.sample(events, len(events))
    found = indices(
        events=rows("all", events)
        + rows("shuffled", shuffled)
        + rows("fewer", events[1:])
        + rows("older", [(kind, days + 30) for kind, days in events]),
        customers=["all", "shuffled", "fewer", "older"],
    )
    weight = {name: row["decayed_delinquency"] for name, row in found.items()}
    assert weight["all"] == weight["shuffled"]
    assert weight["fewer"] <= weight["all"]
    assert weight["older"] <= weight["all"]
