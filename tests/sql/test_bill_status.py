"""What has become of each bill: the query against a plain simulation, and by hand."""

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.engine import open_engine, queries
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema
from tests.support.billing_simulation import bill, histories, payment, simulated

AS_OF = date(2026, 7, 1)
HISTORY_START = date(2026, 2, 1)


@pytest.fixture(scope="module")
def status(tmp_path_factory):
    """Bills and payments in, by bill_id: paid, unpaid, paid_by_due, settled_on, credit, credit_on."""
    query = queries.compose("select bill_id, paid, unpaid, paid_by_due, settled_on, credit, credit_on from bill_status")
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:

        def run(bills, payments, as_of=AS_OF):
            engine.bind_table("bills", pa.Table.from_pylist(bills, arrow_schema("bills")))
            engine.bind_table("payments", pa.Table.from_pylist(payments, arrow_schema("payments")))
            rows = engine.fetch(query, {"as_of": as_of, "history_start": HISTORY_START}).to_pylist()
            return {row.pop("bill_id"): row for row in rows}

        yield run


@trials(max_examples=80, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_every_bill_is_as_in_the_simulation_whatever_the_order_of_rows(status, history, random):
    bills, payments = history
    expected = simulated(bills, payments, AS_OF, HISTORY_START)
    random.shuffle(bills)
    random.shuffle(payments)
    assert status(bills, payments) == expected


def test_money_that_names_a_bill_pays_that_bill_and_the_rest_goes_to_the_oldest(status):
    bills = [
        bill("may", "c", 100, date(2026, 5, 1), date(2026, 5, 20)),
        bill("june", "c", 80, date(2026, 6, 1), date(2026, 6, 20)),
    ]
    payments = [
        payment("1", "c", 90, date(2026, 6, 5), names="june"),  # 10 too much: they go to May
        payment("2", "c", 60, date(2026, 5, 10)),
        payment("3", "c", 30, date(2026, 6, 25)),
    ]
    found = status(bills, payments)
    assert found["june"]["settled_on"] == date(2026, 6, 5)
    assert found["may"] == {
        "paid": 100,
        "unpaid": 0,
        "paid_by_due": 60,
        "settled_on": date(2026, 6, 25),
        "credit": 100,
        "credit_on": date(2026, 6, 25),
    }


def test_a_bill_that_replaces_the_first_of_all_inherits_its_money(status):
    bills = [
        bill("wrong", "c", 100, date(2026, 5, 1), date(2026, 5, 20)),
        bill("right", "c", 70, date(2026, 5, 25), date(2026, 6, 20), cancels="wrong"),
    ]
    payments = [payment("1", "c", 100, date(2026, 5, 15), names="wrong")]
    assert list(status(bills, payments, date(2026, 5, 21))) == ["wrong"]
    assert status(bills, payments) == {
        "right": {
            "paid": 70,
            "unpaid": 0,
            "paid_by_due": 70,
            "settled_on": date(2026, 5, 15),
            "credit": 70,
            "credit_on": date(2026, 5, 15),
        }
    }


def test_what_is_taken_back_is_open_again_from_that_day_on(status):
    bills = [bill("may", "c", 100, date(2026, 5, 1), date(2026, 5, 20))]
    payments = [
        payment("1", "c", 100, date(2026, 5, 15), names="may"),
        payment("2", "c", Decimal("40.01"), date(2026, 6, 10), names="may", reverses="1"),
    ]
    assert status(bills, payments, date(2026, 6, 10))["may"]["unpaid"] == 0
    assert status(bills, payments)["may"] == {
        "paid": Decimal("59.99"),
        "unpaid": Decimal("40.01"),
        "paid_by_due": Decimal("59.99"),
        "settled_on": None,
        "credit": 0,
        "credit_on": None,
    }
