"""Ledger and outbox: written once, computed anew until somebody acts, and taken back when a payment is."""

from datetime import date
from decimal import Decimal

import pytest

from pipeline.actions.rebates import ledger
from pipeline.actions.rebates.propose import propose_rebates
from pipeline.month import RatingMonth
from tests.support.billing_simulation import bill, payment

JANUARY, MARCH, APRIL, MAY = (RatingMonth(2026, number) for number in (1, 3, 4, 5))
BILLS = [bill(f"b{name}", name, "100", date(2026, 1, 10), date(2026, 2, 10)) for name in "abc"]
PAYMENTS = [
    payment("pa", "a", "100", date(2026, 3, 5)),
    payment("pb", "b", "60", date(2026, 3, 6), names="bb"),
    payment("pc", "c", "10", date(2026, 3, 7)),
]


@pytest.fixture
def everything(sql):
    """All that ledger and outbox hold, times included."""
    return lambda: [sql(f"select * from ops.{table} order by 1, 2") for table in ("arrears_rebates", "service_actions")]


@pytest.fixture
def actions(sql):
    """By customer: status and amount of the actions of a type, oldest month first."""

    def found(action_type="arrears_rebate"):
        amount = "rebate" if action_type == "arrears_rebate" else "clawback"
        rows = sql(
            "select customer_id, status, payload ->> cast(%s as text) from ops.service_actions "
            "where action_type = %s order by customer_id, rating_month",
            amount,
            action_type,
        )
        return [(customer, status, Decimal(value)) for customer, status, value in rows]

    return found


@pytest.fixture
def march(utility):
    """Three customers in arrears, of whom a and b earned a rebate in March; not published yet."""
    utility.record(JANUARY, MARCH, BILLS, PAYMENTS)
    return utility


def propose(utility, month, policy):
    return propose_rebates(month, utility.settings, policy)


def test_the_same_again_changes_nothing(march, holding, everything):
    march.publish(MARCH)
    first = propose(march, MARCH, holding({}))
    found = everything()
    assert first["changed"] == 5
    assert propose(march, MARCH, holding({})) == first | {"changed": 0}
    assert everything() == found


@pytest.mark.parametrize("is_backfill", [True, False])
def test_what_does_not_come_from_the_latest_month_s_own_run_is_suppressed(march, holding, actions, is_backfill):
    if is_backfill:
        march.publish(MARCH, run_kind="backfill")
    else:
        march.publish(APRIL, MARCH)
    summary = propose(march, MARCH, holding({}))
    assert (summary["proposed"], summary["suppressed"]) == (0, 2)
    assert actions() == [("a", "suppressed", 5), ("b", "suppressed", 3)]


def test_a_later_revision_of_the_latest_month_proposes_what_a_backfill_did_not(march, holding, actions):
    march.publish(MARCH, run_kind="backfill")
    propose(march, MARCH, holding({}))
    march.publish(MARCH)
    propose(march, MARCH, holding({}))
    assert actions() == [("a", "proposed", 5), ("b", "proposed", 3)]
    march.publish(MARCH, run_kind="backfill")
    propose(march, MARCH, holding({}))
    assert actions() == [("a", "proposed", 5), ("b", "proposed", 3)]


def test_what_a_person_suppressed_is_not_proposed_again(march, holding, actions, sql):
    march.publish(MARCH)
    propose(march, MARCH, holding({}))
    sql("update ops.service_actions set status = 'suppressed' where customer_id = 'a'")
    assert propose(march, MARCH, holding({}))["changed"] == 0
    assert actions() == [("a", "suppressed", 5), ("b", "proposed", 3)]


def test_new_terms_replace_what_nobody_acted_on(march, holding, actions, sql):
    march.publish(MARCH)
    amounts = "select customer_id, rebate, action_id is null from ops.arrears_rebates order by 1"
    propose(march, MARCH, holding({}))
    propose(march, MARCH, holding({"rate": 0.1, "share": 0.7}))
    assert sql(amounts) == [("a", 10, False), ("b", 0, True), ("c", 0, True)]
    assert actions() == [("a", "proposed", 10), ("b", "suppressed", 3)]
    assert sql("select reason from ops.service_actions where customer_id = 'b'") == [
        ("no longer due in campaign monthly-2026-03",)
    ]
    propose(march, MARCH, holding({}))
    assert sql(amounts) == [("a", 5, False), ("b", 3, False), ("c", 0, True)]
    assert actions() == [("a", "proposed", 5), ("b", "proposed", 3)]


def test_arrears_that_turn_out_to_be_none_leave_the_ledger(utility, holding, actions, sql):
    void = bill("void", "a", "-100", date(2026, 3, 20), date(2026, 3, 20), cancels="ba", recorded=date(2026, 4, 2))
    utility.record(JANUARY, APRIL, [*BILLS, void], PAYMENTS)
    utility.publish(MARCH)
    propose(utility, MARCH, holding({}))
    utility.publish(MARCH, basis="as_known_now")
    propose(utility, MARCH, holding({}))
    assert sql("select customer_id from ops.arrears_rebates order by 1") == [("b",), ("c",)]
    assert actions() == [("a", "suppressed", 5), ("b", "proposed", 3)]


@pytest.mark.parametrize("status", ["approved", "dispatched"])
def test_what_somebody_acted_on_stands(march, holding, everything, sql, status):
    march.publish(MARCH)
    propose(march, MARCH, holding({}))
    sql("update ops.service_actions set status = %s", status)
    rebates, acted_on = everything()
    march.publish(MARCH)
    propose(march, MARCH, holding({"rate": 0.01}))
    propose(march, MARCH, holding({"share": 1}))
    assert everything()[1] == acted_on
    assert everything()[0][:2] == rebates[:2]


def test_a_run_that_breaks_off_leaves_nothing(march, holding, everything, monkeypatch):
    def broken(*_):
        raise RuntimeError("the machine stops")

    march.publish(MARCH)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "summary", broken)
        with pytest.raises(RuntimeError, match="the machine stops"):
            propose(march, MARCH, holding({}))
    assert everything() == [[], []]
    assert propose(march, MARCH, holding({}))["proposed"] == 2


REVERSALS = [
    payment("r1", "a", "30", date(2026, 4, 10), reverses="pa"),
    payment("r2", "a", "10", date(2026, 4, 20), reverses="pa", recorded=date(2026, 5, 2)),
    payment("r3", "b", "60", date(2026, 5, 3), names="bb", reverses="pb"),
]


@pytest.fixture
def with_reversals(utility):
    """Of a's 100, 30 are taken back in April and 10 more in May; all of b's 60 are in May."""
    utility.record(JANUARY, MAY, BILLS, PAYMENTS + REVERSALS)
    return utility


def test_a_reversal_takes_back_what_it_earned_and_a_second_one_the_rest(with_reversals, holding, actions, sql):
    clawed_back = (
        "select customer_id, rebate, clawback from ops.arrears_rebates where rating_month = '2026-03-01' order by 1"
    )
    outcomes = []
    for month in (MARCH, APRIL, MAY):
        with_reversals.publish(month)
        outcomes.append(propose(with_reversals, month, holding({})))
    assert sql(clawed_back) == [("a", *map(Decimal, ("5", "2"))), ("b", 3, 3), ("c", 0, 0)]
    assert actions("rebate_clawback") == [
        ("a", "proposed", Decimal("1.50")),
        ("a", "proposed", Decimal("0.50")),
        ("b", "proposed", 3),
    ]
    assert [outcome["clawed_back_amount"] for outcome in outcomes] == ["0.00", "1.50", "3.50"]
    assert sql(
        "select reason from ops.service_actions where action_type = 'rebate_clawback' and customer_id = 'b'"
    ) == [("a reversal lowers the rebate of campaign monthly-2026-03 from 3.00 to 0.00",)]


def test_months_again_in_any_order_claw_nothing_back_twice(with_reversals, holding, everything):
    with_reversals.publish(MARCH, APRIL, MAY)
    for month in (MARCH, APRIL, MAY):
        propose(with_reversals, month, holding({}))
    found = everything()
    for month in (APRIL, MARCH, MAY):
        assert propose(with_reversals, month, holding({}))["changed"] == 0
    assert everything() == found


def test_a_month_that_comes_late_leaves_the_clawback_to_the_later_one(with_reversals, holding, actions):
    with_reversals.publish(MARCH, APRIL, MAY)
    for month in (MARCH, MAY, APRIL):
        propose(with_reversals, month, holding({}))
    assert actions("rebate_clawback") == [("a", "proposed", 2), ("b", "proposed", 3)]


BOOKED_LATER = [
    payment("l1", "b", "40", date(2026, 3, 30), recorded=date(2026, 4, 2)),
    payment("l2", "c", "50", date(2026, 3, 31), recorded=date(2026, 5, 2)),
    payment("l3", "c", "40", date(2026, 4, 1), recorded=date(2026, 4, 2)),
]


@pytest.fixture
def with_late_bookings(utility):
    """b has paid 60 of 100 and 40 that are booked in April; c 10, 50 booked in May, and 40 too late."""
    utility.record(JANUARY, MAY, BILLS, PAYMENTS + BOOKED_LATER)
    return utility


def test_a_payment_booked_after_the_campaign_counts_once_when_it_becomes_known(with_late_bookings, holding, sql):
    def ledger_rows():
        return sql(
            "select customer_id, rebate, late_rebate, clawback from ops.arrears_rebates "
            "where rating_month = '2026-03-01' order by 1"
        )

    months = (MARCH, APRIL, MAY)
    with_late_bookings.publish(*months)
    found = []
    for month in months:
        propose(with_late_bookings, month, holding({}))
        found.append([(name, float(rebate), float(late)) for name, rebate, late, _ in ledger_rows()])
    assert found == [
        [("a", 5.0, 0.0), ("b", 3.0, 0.0), ("c", 0.0, 0.0)],
        [("a", 5.0, 0.0), ("b", 3.0, 2.0), ("c", 0.0, 0.0)],
        [("a", 5.0, 0.0), ("b", 3.0, 2.0), ("c", 0.0, 3.0)],
    ]
    for month in (APRIL, MARCH, MAY):
        propose(with_late_bookings, month, holding({}))
    assert [(name, float(rebate), float(late)) for name, rebate, late, _ in ledger_rows()] == found[-1]
    assert sql(
        "select customer_id, cast(rating_month as text), status, payload ->> 'rebate', reason from ops.service_actions "
        "where payload ? 'late_rebate' order by 1"
    ) == [
        (
            "b",
            "2026-04-01",
            "proposed",
            "2.00",
            "a payment booked later adds 2.00 to the rebate of campaign monthly-2026-03",
        ),
        (
            "c",
            "2026-05-01",
            "proposed",
            "3.00",
            "a payment booked later adds 3.00 to the rebate of campaign monthly-2026-03",
        ),
    ]


def test_what_payments_booked_later_add_stays_within_the_budget(with_late_bookings, holding, sql):
    with_late_bookings.publish(MARCH, APRIL, MAY)
    for month in (MARCH, APRIL, MAY):
        propose(with_late_bookings, month, holding({"budget": 11}))
    assert sql("select sum(rebate + late_rebate) from ops.arrears_rebates where rating_month = '2026-03-01'") == [(11,)]


def test_a_clawback_goes_by_the_terms_of_the_grant(with_reversals, holding, actions):
    with_reversals.publish(MARCH)
    propose(with_reversals, MARCH, holding({}))
    with_reversals.publish(APRIL)
    propose(with_reversals, APRIL, holding({"name": "other", "rate": 0.5, "share": 1}))
    assert actions("rebate_clawback") == [("a", "proposed", Decimal("1.50"))]


def test_what_was_never_proposed_is_not_claimed_back(with_reversals, holding, actions):
    with_reversals.publish(MARCH, run_kind="backfill")
    propose(with_reversals, MARCH, holding({}))
    with_reversals.publish(APRIL)
    propose(with_reversals, APRIL, holding({}))
    assert actions("rebate_clawback") == [("a", "suppressed", Decimal("1.50"))]


def test_a_reversal_of_what_earned_nothing_takes_nothing_back(utility, holding, actions):
    payments = [
        payment("before", "a", "40", date(2026, 2, 20)),
        payment("within", "a", "60", date(2026, 3, 5)),
        payment("back", "a", "40", date(2026, 4, 5), reverses="before"),
    ]
    utility.record(JANUARY, APRIL, BILLS, payments)
    for month in (MARCH, APRIL):
        utility.publish(month)
        propose(utility, month, holding({}))
    assert actions() == [("a", "proposed", 3)]
    assert actions("rebate_clawback") == []


def test_a_rebate_of_which_something_was_taken_back_stands(with_reversals, holding, actions, sql):
    with_reversals.publish(MARCH, APRIL)
    for month in (MARCH, APRIL):
        propose(with_reversals, month, holding({}))
    propose(with_reversals, MARCH, holding({"rate": 0.01}))
    assert sql(
        "select customer_id, rebate, clawback from ops.arrears_rebates where customer_id = 'a' order by rebate desc"
    ) == [("a", Decimal(5), Decimal("1.5"))]
    assert actions() == [("a", "proposed", 5), ("b", "proposed", Decimal("0.60"))]
