"""Rebates worked out by hand, and against plain Python over random histories."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.rebates.propose import propose_rebates
from pipeline.errors import MonthError
from pipeline.month import RatingMonth
from tests.support.billing_simulation import bill, histories, payment, simulated

JANUARY, MARCH, APRIL, MAY = (RatingMonth(2026, number) for number in (1, 3, 4, 5))
ISSUED, DUE = date(2026, 1, 10), date(2026, 2, 10)
LEDGER = "select customer_id, opening_arrears, repaid, rebate from ops.arrears_rebates order by 1"
GRANTS = "select customer_id, earned, rebate from ops.arrears_rebates order by 1"


def money(*texts):
    return tuple(Decimal(text) for text in texts)


def in_march(day):
    return date(2026, 3, day)


def test_a_month_worked_out_by_hand(utility, settings, holding, sql):
    bills, payments = [], []

    def customer(name, *amounts, due=DUE):
        bills.extend(bill(f"{name}{n}", name, amount, ISSUED, due) for n, amount in enumerate(amounts))

    def pays(name, amount, day, **more):
        payments.append(payment(f"p{len(payments)}", name, amount, day, **more))

    customer("half", "100")
    pays("half", "50", in_march(1))
    customer("less than half", "100")
    pays("less than half", "49.99", in_march(31))
    customer("capped", "2000", "10")
    pays("capped", "2010", in_march(15))
    customer("two ways", "100", "50")
    pays("two ways", "60", in_march(5))
    pays("two ways", "30", in_march(6), names="two ways1")
    customer("odd cents", "33.33")
    pays("odd cents", "33.33", in_march(9), names="odd cents0")
    customer("part before", "100")
    pays("part before", "30", date(2026, 2, 28))
    pays("part before", "35", in_march(2))
    customer("due in the window", "100", due=in_march(1))
    pays("due in the window", "100", in_march(2))
    customer("paid before", "100")
    pays("paid before", "100", date(2026, 2, 28))
    customer("pays after", "100")
    pays("pays after", "100", date(2026, 4, 1))
    customer("pays another bill", "100")
    bills.append(bill("new", "pays another bill", "100", in_march(3), date(2026, 4, 3)))
    pays("pays another bill", "100", in_march(20), names="new")
    customer("bounced", "100")
    pays("bounced", "100", in_march(3))
    pays("bounced", "60", in_march(8), reverses=payments[-1]["payment_id"])
    customer("billed in error", "100")
    bills.append(bill("void", "billed in error", "-100", in_march(4), in_march(4), cancels="billed in error0"))
    pays("billed in error", "100", in_march(2))

    utility.record(JANUARY, APRIL, bills, payments)
    utility.publish(MARCH)
    summary = propose_rebates(MARCH, settings, holding({}))

    assert sql(LEDGER) == [
        ("bounced", *money("100", "40", "0")),
        ("capped", *money("2010", "2010", "50")),
        ("half", *money("100", "50", "2.50")),
        ("less than half", *money("100", "49.99", "0")),
        ("odd cents", *money("33.33", "33.33", "1.66")),
        ("part before", *money("70", "35", "1.75")),
        ("pays after", *money("100", "0", "0")),
        ("pays another bill", *money("100", "0", "0")),
        ("two ways", *money("150", "90", "4.50")),
    ]
    [(publication_id,)] = sql("select cast(publication_id as text) from ops.publications")
    assert summary == {
        "month": "2026-03",
        "publication_id": publication_id,
        "campaigns": ["monthly-2026-03"],
        "customers_in_arrears": 9,
        "received": "2408.32",
        "repaid": "2308.32",
        "proposed": 5,
        "proposed_amount": "60.41",
        "suppressed": 0,
        "clawed_back": 0,
        "clawed_back_amount": "0.00",
        "changed": 14,
    }
    assert sql(
        "select action_type, status, reason, payload from ops.service_actions where customer_id = 'two ways'"
    ) == [
        (
            "arrears_rebate",
            "proposed",
            "repaid 90.00 of 150.00 overdue when campaign monthly-2026-03 began",
            {
                "campaign": "monthly-2026-03",
                "terms": {
                    "first_month": "2026-03",
                    "last_month": "2026-03",
                    "share": "0.5",
                    "rate": "0.05",
                    "cap": "50.0",
                },
                "opening_arrears": "150.00",
                "repaid": "90.00",
                "earned": "4.50",
                "rebate": "4.50",
            },
        )
    ]


def test_a_rebate_is_paid_while_its_action_is_sent(utility, settings, holding, sql):
    utility.record(
        JANUARY,
        APRIL,
        [bill(f"b{name}", name, "100", ISSUED, DUE) for name in "ab"],
        [payment(f"p{name}", name, "100", in_march(5)) for name in "ab"],
    )
    utility.publish(MARCH)
    propose_rebates(MARCH, settings, holding({}))

    def paid():
        by_campaign = sql("select rebate_paid, rebate from report.rebate_campaigns")
        joined = sql(
            "select coalesce(sum(r.rebate) filter (where a.status in ('dispatched', 'acknowledged')), 0), "
            "sum(r.rebate) from ops.arrears_rebates as r "
            "left join ops.service_actions as a on a.action_id = r.action_id"
        )
        assert by_campaign == joined
        return by_campaign[0]

    assert paid() == money("0", "10")
    for status, expected in (("approved", "0"), ("dispatched", "5"), ("acknowledged", "5"), ("failed", "0")):
        sql(f"update ops.service_actions set status = '{status}' where customer_id = 'a'")
        assert paid() == money(expected, "10")
    sql("update ops.service_actions set status = 'dispatched'")
    assert paid() == money("10", "10")
    # A ledger row that leaves its action and comes back to it.
    sql("create table aside as select customer_id, action_id from ops.arrears_rebates")
    sql("update ops.arrears_rebates set action_id = null where customer_id = 'b'")
    assert paid() == money("5", "10")
    sql(
        "update ops.arrears_rebates as r set action_id = a.action_id "
        "from aside as a where a.customer_id = r.customer_id"
    )
    assert paid() == money("10", "10")


def test_a_campaign_of_several_months_is_computed_in_its_last(utility, settings, holding, sql):
    utility.record(
        JANUARY,
        APRIL,
        [bill("b", "c", "100", ISSUED, DUE)],
        [payment("1", "c", "40", in_march(31)), payment("2", "c", "40", date(2026, 4, 1))],
    )
    utility.publish(MARCH, APRIL)
    policy = holding(
        {"name": "spring", "first_month": "2026-03", "last_month": "2026-04"},
        {"name": "later", "first_month": "2026-05"},
        {"name": "two years", "first_month": "2024-05", "last_month": "2026-04"},
    )
    assert propose_rebates(MARCH, settings, policy)["campaigns"] == []
    assert propose_rebates(APRIL, settings, policy)["campaigns"] == ["spring", "two years"]
    assert sql("select campaign, rating_month, opening_arrears, repaid, rebate from ops.arrears_rebates") == [
        ("spring", date(2026, 4, 1), *money("100", "80", "4"))
    ]


@pytest.mark.parametrize(("basis", "repaid"), [("as_known_then", 0), ("as_known_now", 100)])
def test_the_records_are_those_of_the_publication(utility, settings, holding, sql, basis, repaid):
    late = payment("p", "c", "100", in_march(31), recorded=date(2026, 4, 1))
    utility.record(JANUARY, APRIL, [bill("b", "c", "100", ISSUED, DUE)], [late])
    utility.publish(MARCH, basis=basis)
    propose_rebates(MARCH, settings, holding({}))
    assert sql("select repaid from ops.arrears_rebates") == [(repaid,)]


def test_a_month_that_is_not_published_has_no_rebates(settings, policy):
    with pytest.raises(MonthError, match=r"2026-03 is not published, .* publish 2026-03 first"):
        propose_rebates(MARCH, settings, policy)


class TestBudget:
    """Of arrears of 100 each: all repaid 100% but c (60%) and d (80%), at a rate of 10%."""

    @pytest.fixture
    def repaid(self, utility):
        shares = {"a": "100", "b": "100", "c": "60", "d": "80", "e": "100"}
        bills = [bill(f"b{name}", name, "100", ISSUED, DUE) for name in shares]
        payments = [payment(f"p{name}", name, amount, in_march(5)) for name, amount in shares.items()]
        payments.append(payment("back", "b", "50", date(2026, 4, 3), reverses="pb"))
        utility.record(JANUARY, APRIL, bills, payments)
        utility.publish(MARCH)
        return utility

    def test_who_repaid_the_larger_share_comes_first_and_the_last_gets_the_rest(self, repaid, holding, sql):
        propose_rebates(MARCH, repaid.settings, holding({"rate": 0.1, "budget": 33}))
        assert sql(GRANTS) == [
            ("a", *money("10", "10")),
            ("b", *money("10", "10")),
            ("c", *money("6", "0")),
            ("d", *money("8", "3")),
            ("e", *money("10", "10")),
        ]
        assert sql(
            "select customer_id, payload ->> 'earned', payload ->> 'rebate' from ops.service_actions "
            "where customer_id >= 'c' order by 1"
        ) == [("d", "8.00", "3.00"), ("e", "10.00", "10.00")]

    def test_what_stands_is_paid_from_the_budget_before(self, repaid, holding, sql):
        propose_rebates(MARCH, repaid.settings, holding({"rate": 0.1, "budget": 18}))
        sql("update ops.service_actions set status = 'approved' where customer_id = 'b'")
        assert sql(GRANTS)[:2] == [("a", *money("10", "10")), ("b", *money("10", "8"))]
        propose_rebates(MARCH, repaid.settings, holding({"rate": 0.2, "budget": 30}))
        assert sql(GRANTS) == [
            ("a", *money("20", "20")),
            ("b", *money("10", "8")),
            ("c", *money("12", "0")),
            ("d", *money("16", "0")),
            ("e", *money("20", "2")),
        ]
        propose_rebates(MARCH, repaid.settings, holding({"rate": 0.2, "budget": 5}))
        assert sql("select customer_id, rebate from ops.arrears_rebates where rebate > 0") == [("b", 8)]

    def test_a_reversal_takes_back_no_more_than_was_granted(self, repaid, holding, sql):
        policy = holding({"rate": 0.1, "budget": 18})
        propose_rebates(MARCH, repaid.settings, policy)
        repaid.publish(APRIL)
        propose_rebates(APRIL, repaid.settings, policy)
        assert sql(
            "select customer_id, rebate, clawback from ops.arrears_rebates where campaign like '%%03' and rebate > 0"
        ) == [("a", 10, 0), ("b", 8, 3)]


MONTHS = (MARCH, APRIL, MAY)


@dataclass(frozen=True)
class Terms:
    share: Decimal
    rate: Decimal
    cap: Decimal
    budget: Decimal | None


@st.composite
def utilities(draw):
    """Bills and payments of some twenty customers."""
    bills, payments = [], []
    for number in range(draw(st.integers(10, 15))):
        more = draw(histories(f"{number}"))
        bills += more[0]
        payments += more[1]
    return bills, payments


def hundredths(low, high):
    return st.integers(low, high).map(lambda n: Decimal(n) / 100)


TERMS = st.builds(
    Terms,
    share=hundredths(0, 100),
    rate=hundredths(1, 100),
    cap=hundredths(0, 2000),
    budget=st.none() | hundredths(0, 6000),
)


def worked_out(bills, payments, terms):
    """The ledger after all of MONTHS, by campaign and customer: opening arrears, received, repaid, earned, rebate,
    clawback, late rebate."""
    ledger, clawbacks, late = {}, defaultdict(Decimal), defaultdict(Decimal)
    for month in MONTHS:
        known = [[row for row in rows if RatingMonth.of(row["recorded_at"]) <= month] for rows in (bills, payments)]
        found = earned(*known, month, terms)
        grants = within_budget(found, terms.budget)
        cash = received(known[1], month)
        for name, (opening, repaid, credit) in found.items():
            ledger[str(month), name] = (opening, cash[name], repaid, credit, grants[name])
        for ended in (earlier for earlier in MONTHS if earlier < month):
            again = earned(known[0], net_of_reversals(known[1], ended, month), ended, terms)
            left = Decimal("Infinity") if terms.budget is None else terms.budget
            left -= sum(row[-1] + late[key] for key, row in ledger.items() if key[0] == str(ended))
            for name in sorted(customers_of_what_came_later(known[1], ended, month)):
                key = (str(ended), name)
                if key not in ledger:
                    continue
                *_, credit, before = ledger[key]
                now = again.get(name, [Decimal(0)])[-1]
                more = now - credit - late[key] + clawbacks[key]
                clawbacks[key] = max(clawbacks[key], before + late[key] - now)
                if more > 0:
                    late[key] += max(Decimal(0), min(more, left))
                    left -= more
    return {key: (*row, clawbacks[key], late[key]) for key, row in ledger.items()}


def earned(bills, payments, month, terms):
    """By customer in arrears: opening arrears, repaid, and the credit before the budget."""
    start, end = month.first_day, (month + 1).first_day
    due = {b["bill_id"]: b for b in bills if b["due_on"] < start}
    then, now = (simulated(bills, payments, day) for day in (start, end))
    opening, repaid = defaultdict(Decimal), defaultdict(Decimal)
    for name, status in then.items():
        if name in due and name in now and status["unpaid"]:
            opening[due[name]["customer_id"]] += status["unpaid"]
            repaid[due[name]["customer_id"]] += status["unpaid"] - now[name]["unpaid"]
    found = {}
    for customer, arrears in opening.items():
        paid = max(repaid[customer], Decimal(0))
        credit = min(terms.cap, terms.rate * paid).quantize(Decimal("0.01"), ROUND_DOWN)
        found[customer] = (arrears, paid, credit if paid >= terms.share * arrears else Decimal(0))
    return found


def within_budget(found, budget):
    """Of what each earned, what is granted: the larger share repaid first, then by name, until the budget is gone."""
    left = Decimal("Infinity") if budget is None else budget
    grants = {}
    for name in sorted(found, key=lambda name: (-Fraction(found[name][1]) / Fraction(found[name][0]), name)):
        grants[name] = min(found[name][2], left)
        left -= grants[name]
    return grants


def received(payments, month):
    """By customer: all that was paid in the month, less what was taken back in it."""
    cash = defaultdict(Decimal)
    for p in payments:
        if RatingMonth.of(p["paid_on"]) == month:
            cash[p["customer_id"]] += -p["amount"] if p["reverses_payment_id"] else p["amount"]
    return cash


def net_of_reversals(payments, ended, month):
    """Payments with all that was taken back by the end of the month from those made in the month ``ended``."""
    counting = {r["payment_id"]: r for r in payments if r["paid_on"] < (month + 1).first_day}
    net = []
    for p in counting.values():
        original = counting.get(p["reverses_payment_id"])
        if original and RatingMonth.of(original["paid_on"]) == ended:
            continue
        if RatingMonth.of(p["paid_on"]) == ended and not p["reverses_payment_id"]:
            back = sum(r["amount"] for r in counting.values() if r["reverses_payment_id"] == p["payment_id"])
            net.append(p | {"amount": p["amount"] - back})
        else:
            net.append(p)
    return net


def customers_of_what_came_later(payments, ended, month):
    """Of whom a month came to know that a payment of an ended month was made, or was taken back."""
    by_id = {p["payment_id"]: p for p in payments}
    return {
        r["customer_id"]
        for r in payments
        if RatingMonth.of(r["recorded_at"]) == month
        and r["paid_on"] < (month + 1).first_day
        and ended in (RatingMonth.of(p["paid_on"]) for p in (r, by_id.get(r["reverses_payment_id"], r)))
    }


@trials(max_examples=4, deadline=None, suppress_health_check=[*HealthCheck])
@given(utilities(), TERMS, st.randoms(use_true_random=False))
def test_the_ledger_is_as_worked_out_in_plain_python(utility, holding, sql, records, terms, random):
    bills, payments = records
    expected = worked_out(bills, payments, terms)
    random.shuffle(bills)
    random.shuffle(payments)
    sql("truncate ops.publications, ops.service_actions cascade")
    fresh = utility.anew()
    fresh.record(JANUARY, MAY, bills, payments)
    policy = holding({name: value and float(value) for name, value in vars(terms).items()})
    for month in MONTHS:
        fresh.publish(month)
        propose_rebates(month, fresh.settings, policy)
    rows = sql(
        "select right(campaign, 7), customer_id, opening_arrears, received, repaid, earned, rebate, clawback, "
        "late_rebate from ops.arrears_rebates"
    )
    assert {row[:2]: row[2:] for row in rows} == expected
    granted = defaultdict(Decimal)
    for campaign, _, opening, _, repaid, credit, rebate, clawback, late in rows:
        assert 0 <= clawback <= rebate + late
        assert rebate <= credit <= min(terms.cap, terms.rate * repaid)
        assert 0 <= repaid <= opening
        granted[campaign] += rebate + late
    if terms.budget is not None:
        assert all(total <= terms.budget for total in granted.values())
    assert sql(
        "select action_type, sum(cast(payload ->> case action_type when 'arrears_rebate' then 'rebate' else 'clawback' "
        "end as numeric)) from ops.service_actions group by 1 order by 1"
    ) == [
        (kind, total)
        for kind, total in (
            ("arrears_rebate", sum(row[6] + row[8] for row in rows)),
            ("rebate_clawback", sum(row[7] for row in rows)),
        )
        if total
    ]
