"""Finding a customer, and the bills behind its grade."""

from decimal import Decimal

import pytest

from pipeline.console import customers
from pipeline.customers.parameters import parameters
from pipeline.engine import open_engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.reader import reading
from tests.support.console import EVIL, SEPTEMBER
from tests.support.records.indices import OCTOBER

SAMPLED = RatingMonth(2026, 10)
THEN = "as_known_then"


@pytest.fixture(scope="module")
def settings(console_warehouse):
    return reading(console_warehouse)


def test_the_one_of_that_very_id_comes_first(settings):
    found = [row["customer_id"] for row in customers.find(settings, "C0000")]
    assert found == [f"C{n:05}" for n in range(10)]
    assert customers.find(settings, "C00007")[0]["customer_id"] == "C00007"


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_any_text_finds_what_holds_it(settings, text):
    assert [row["customer_id"] for row in customers.find(settings, text[1:])] == [text]


@pytest.mark.parametrize("text", ["%", "_", "'; drop table x; --", "\\"])
def test_no_character_means_more_than_itself(settings, text):
    wanted = [one for one in EVIL.values() if text in one]
    assert [row["customer_id"] for row in customers.find(settings, text)] == wanted


def test_history_and_revisions(settings):
    history = customers.history(settings, "C00001")
    assert [RatingMonth.of(row["rating_month"]) for row in history] == [OCTOBER, SEPTEMBER]
    known = customers.known_when(settings, OCTOBER, "C00001")
    assert [row["publication"].revision for row in known] == [2, 1]
    assert known[0]["grade"] == history[0]["grade"]
    assert known[0]["score"] > known[1]["score"]  # from B to A
    assert customers.history(settings, "nobody") == []


@pytest.fixture(scope="module")
def sampled(sample_lake, tmp_path_factory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("bills"), lake=sample_lake)


def test_bills_are_those_of_the_month_for_each_customer(sampled, policy):
    with open_engine(sampled) as engine:
        KnownRecords(Lake(sampled.lake_path), policy, SAMPLED).bind(engine)
        all_bills = engine.fetch(
            queries.compose("select customer_id, bill_id, amount, unpaid, due_on from bill_status"),
            parameters(policy, SAMPLED),
        ).to_pylist()
    overdue = {}
    for bill in all_bills:
        if bill["unpaid"] > 0 and bill["due_on"] < (SAMPLED + 1).first_day:
            overdue[bill["customer_id"]] = overdue.get(bill["customer_id"], Decimal(0)) + bill["unpaid"]
    paid_up = next(bill["customer_id"] for bill in all_bills if bill["customer_id"] not in overdue)
    for customer_id in [*sorted(overdue)[:4], paid_up]:
        found = customers.bills(sampled, policy, SAMPLED, customer_id, THEN)
        assert found.overdue == overdue.get(customer_id, 0)
        own = {bill["bill_id"] for bill in all_bills if bill["customer_id"] == customer_id}
        assert {bill["bill_id"] for bill in found.bills} <= own
        assert found.bills == sorted(found.bills, key=lambda bill: (bill["due_on"], bill["bill_id"]), reverse=True)


def test_a_customer_without_bills_has_none(sampled, policy):
    found = customers.bills(sampled, policy, SAMPLED, "nobody' or 1=1", THEN)
    assert (found.bills, found.overdue) == ([], 0)


def test_a_lake_that_is_not_here_gives_none(tmp_path, policy):
    assert customers.bills(Settings(home=tmp_path), policy, SAMPLED, "C00001", THEN) is None
