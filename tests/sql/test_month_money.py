"""The money of a month: whatever is recorded when, all months together are all the money, to the cent."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.measures import decision_inputs
from pipeline.basis import Basis
from pipeline.customers import parameters as rating_parameters
from pipeline.engine import open_engine, queries
from pipeline.lake.known_records import families, lake_begins
from pipeline.maintenance.case_tables import SCHEMAS, table
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from tests.support.billing_simulation import bill, payment

POLICY = Policy.load()
FIRST = RatingMonth(2026, 1)
MONTHS = [FIRST + n for n in range(6)]  # the last record is of day 165
MONEY = ("billed", "billed_booked_later", "collected", "collected_booked_later")
CENT = Decimal("0.01")
DAYS, DELAYS = st.integers(0, 70), st.integers(0, 65)
AMOUNTS = st.integers(1, 30000).map(lambda cents: Decimal(cents) / 100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=1)) as engine:
        for name in SCHEMAS:
            engine.bind_table(name, table(name, ""))
        engine.bind_table("customers", table("customers", "customer_id\nc"))
        engine.bind_table("families", families(POLICY))
        engine.bind_table("lake_begins", lake_begins(FIRST.first_day))
        yield engine


def day(offset):
    return date(2026, 1, 1) + timedelta(offset)


@st.composite
def records(draw):
    """Bills that others cancel or replace, once or twice, credit notes, payments ahead of their value date or booked
    late, and what is taken back of them: of customers who are known and of one who is not."""
    bills, payments = [], []
    for n, (on, delay) in enumerate(draw(st.lists(st.tuples(DAYS, DELAYS), max_size=8))):
        amount = draw(AMOUNTS) * draw(st.sampled_from([1, 1, 1, -1]))
        cancels = draw(st.none() | st.sampled_from([b["bill_id"] for b in bills])) if bills else None
        who = draw(st.sampled_from(["c", "unknown"]))
        if cancels is not None:
            who = next(b["customer_id"] for b in bills if b["bill_id"] == cancels)
        bills.append(bill(f"b{n}", who, amount, day(on), day(on + 20), cancels=cancels, recorded=day(on + delay)))
    for n, (on, delay) in enumerate(draw(st.lists(st.tuples(DAYS, st.integers(-30, 65)), max_size=6))):
        amount = draw(AMOUNTS)
        paid = payment(f"p{n}", "c", amount, day(on), recorded=day(on + delay))
        payments.append(paid)
        if draw(st.booleans()):
            back, late = on + draw(st.integers(0, 30)), draw(DELAYS)
            payments.append(
                payment(
                    f"r{n}", "c", (amount / 2).quantize(CENT), day(back), reverses=f"p{n}", recorded=day(back + late)
                )
            )
    return bills, payments


def money_of(engine, bills, payments, month, basis=Basis.AS_KNOWN_THEN):
    """The money of a month, as a rating of it knows the records."""
    before = (
        month.cutoff(POLICY.timezone).astimezone(UTC)
        if basis == Basis.AS_KNOWN_THEN
        else datetime.max.replace(tzinfo=UTC)
    )
    for name, rows in (("bills", bills), ("payments", payments)):
        known = [row for row in rows if row["recorded_at"] < before]
        engine.bind_table(name, pa.Table.from_pylist(known, SCHEMAS[name]))
    bound = rating_parameters.parameters(POLICY, month) | decision_inputs.parameters(POLICY, month, basis)
    rows = engine.fetch(queries.compose("select * from month_receivables"), bound).to_pylist()
    return {name: sum((row[name] for row in rows), Decimal(0)) for name in (*MONEY, "receivable")}


def standing(bills):
    """What is billed in the end, worked out bill by bill."""
    gone = {b["cancels_bill_id"] for b in bills}
    return sum(
        (b["amount"] for b in bills if b["bill_id"] not in gone and (b["amount"] > 0 or not b["cancels_bill_id"])),
        Decimal(0),
    )


@trials(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records())
def test_all_months_together_are_all_the_money(engine, made):
    bills, payments = made
    for basis in Basis:
        total = defaultdict(Decimal)
        for month in MONTHS:
            for name, amount in money_of(engine, bills, payments, month, basis).items():
                total[name] += amount
        paid = sum((-p["amount"] if p["reverses_payment_id"] else p["amount"] for p in payments), Decimal(0))
        assert total["billed"] + total["billed_booked_later"] == standing(bills)
        assert total["collected"] + total["collected_booked_later"] == paid
        if basis == Basis.AS_KNOWN_NOW:
            assert total["billed_booked_later"] == total["collected_booked_later"] == 0


def test_by_hand(engine):
    """100 billed in January and replaced by 90 in February, 50 and cancelled in March; 40 paid in January, booked in
    February."""
    bills = [
        bill("a", "c", "100", day(4), day(30)),
        bill("a2", "c", "90", day(40), day(60), cancels="a"),
        bill("b", "c", "50", day(5), day(30)),
        bill("b2", "c", "-50", day(65), day(65), cancels="b"),
    ]
    payments = [payment("p", "c", "40", day(20), recorded=day(45))]
    found = {str(m): [money_of(engine, bills, payments, m)[name] for name in MONEY] for m in MONTHS[:3]}
    assert found == {"2026-01": [150, 0, 0, 0], "2026-02": [-10, 0, 0, 40], "2026-03": [-50, 0, 0, 0]}
