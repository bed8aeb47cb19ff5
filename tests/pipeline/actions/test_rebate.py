"""Rebates worked out by hand, and against plain Python over random histories."""

from collections import defaultdict
from datetime import date
from decimal import ROUND_DOWN, Decimal

import pytest
from billing_simulation import bill, histories, payment, simulated
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.rebate import propose_rebates
from pipeline.errors import MonthError
from pipeline.month import RatingMonth

JANUARY, MARCH, APRIL, MAY = (RatingMonth(2026, number) for number in (1, 3, 4, 5))
ISSUED, DUE = date(2026, 1, 10), date(2026, 2, 10)
LEDGER = "select customer_id, opening_arrears, repaid, rebate from ops.arrears_rebates order by 1"


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
    assert summary == {
        "month": "2026-03",
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


MONTHS = (MARCH, APRIL, MAY)
SHARE, RATE, CAP = Decimal("0.2"), Decimal("0.07"), Decimal(6)


@st.composite
def utilities(draw):
    """Bills and payments of some twenty customers."""
    bills, payments = [], []
    for number in range(draw(st.integers(10, 15))):
        more = draw(histories(f"{number}"))
        bills += more[0]
        payments += more[1]
    return bills, payments


def worked_out(bills, payments):
    """The ledger after all of MONTHS, by campaign and customer: opening arrears, repaid, rebate, clawback."""
    ledger, clawbacks = {}, defaultdict(lambda: Decimal(0))
    for month in MONTHS:
        known = [[row for row in rows if RatingMonth.of(row["recorded_at"]) <= month] for rows in (bills, payments)]
        ledger |= {(str(month), name): terms for name, terms in granted(*known, month).items()}
        for ended in (earlier for earlier in MONTHS if earlier < month):
            again = granted(known[0], net_of_reversals(known[1], ended, month), ended)
            for name in customers_of_reversals(known[1], ended, month):
                before = ledger.get((str(ended), name), (0, 0, 0))[2]
                now = again.get(name, (0, 0, 0))[2]
                clawbacks[str(ended), name] = max(clawbacks[str(ended), name], before - now)
    return {key: (*terms, clawbacks[key]) for key, terms in ledger.items()}


def granted(bills, payments, month):
    start, end = month.first_day, (month + 1).first_day
    due = {b["bill_id"]: b for b in bills if b["due_on"] < start}
    then, now = (simulated(bills, payments, day, (month - 23).first_day) for day in (start, end))
    opening, repaid = defaultdict(Decimal), defaultdict(Decimal)
    for name, status in then.items():
        if name in due and name in now and status["unpaid"]:
            opening[due[name]["customer_id"]] += status["unpaid"]
            repaid[due[name]["customer_id"]] += status["unpaid"] - now[name]["unpaid"]
    found = {}
    for customer, arrears in opening.items():
        paid = max(repaid[customer], Decimal(0))
        earned = min(CAP, RATE * paid).quantize(Decimal("0.01"), ROUND_DOWN)
        found[customer] = (arrears, paid, earned if paid >= SHARE * arrears else Decimal(0))
    return found


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


def customers_of_reversals(payments, ended, month):
    by_id = {p["payment_id"]: p for p in payments}
    return {
        r["customer_id"]
        for r in payments
        if r["reverses_payment_id"] in by_id
        and RatingMonth.of(r["recorded_at"]) == month
        and r["paid_on"] < (month + 1).first_day
        and RatingMonth.of(by_id[r["reverses_payment_id"]]["paid_on"]) == ended
    }


@trials(max_examples=4, deadline=None, suppress_health_check=[*HealthCheck])
@given(utilities(), st.randoms(use_true_random=False))
def test_the_ledger_is_as_worked_out_in_plain_python(utility, holding, sql, records, random):
    bills, payments = records
    expected = worked_out(bills, payments)
    random.shuffle(bills)
    random.shuffle(payments)
    sql("truncate ops.arrears_rebates, ops.service_actions, ops.publications")
    fresh = utility.anew()
    fresh.record(JANUARY, MAY, bills, payments)
    policy = holding({"share": float(SHARE), "rate": float(RATE), "cap": float(CAP)})
    for month in MONTHS:
        fresh.publish(month)
        propose_rebates(month, fresh.settings, policy)
    rows = sql(
        "select right(campaign, 7), customer_id, opening_arrears, repaid, rebate, clawback from ops.arrears_rebates"
    )
    assert {row[:2]: row[2:] for row in rows} == expected
    for _, _, opening, repaid, rebate, clawback in rows:
        assert 0 <= clawback <= rebate <= min(CAP, RATE * repaid)
        assert 0 <= repaid <= opening
    assert sql(
        "select action_type, sum(cast(payload ->> case action_type when 'arrears_rebate' then 'rebate' else 'clawback' "
        "end as numeric)) from ops.service_actions group by 1 order by 1"
    ) == [
        (kind, total)
        for kind, total in (
            ("arrears_rebate", sum(row[4] for row in rows)),
            ("rebate_clawback", sum(row[5] for row in rows)),
        )
        if total
    ]
