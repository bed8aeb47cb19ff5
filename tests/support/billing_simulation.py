"""Bills and payments at random, and what becomes of them worked out in plain Python, one part of money at a time."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from hypothesis import strategies as st

FIRST_DAY = date(2026, 1, 1)
DAYS = 200


def bill(bill_id, customer, amount, issued, due, *, cancels=None, recorded=None):
    return {
        "bill_id": bill_id,
        "customer_id": customer,
        "billing_month": issued.replace(day=1),
        "issued_on": issued,
        "due_on": due,
        "amount": Decimal(amount),
        "is_estimated": False,
        "cancels_bill_id": cancels,
        "recorded_at": datetime.combine(recorded or issued, time(12), UTC),
    }


def payment(payment_id, customer, amount, paid, *, names=None, reverses=None, recorded=None):
    return {
        "payment_id": payment_id,
        "customer_id": customer,
        "bill_id": names,
        "paid_on": paid,
        "amount": Decimal(amount),
        "reverses_payment_id": reverses,
        "recorded_at": datetime.combine(recorded or paid, time(12), UTC),
    }


def simulated(bills, payments, as_of, history_start):
    """What sql/lake/facts/bill_status.sql says, by bill_id: each part of money is laid on a bill until the bill is
    full or the money is gone."""
    cancelled = {b["cancels_bill_id"] for b in bills if b["issued_on"] < as_of} - {None}
    in_sight = [b for b in bills if b["issued_on"] < as_of and b["due_on"] >= history_start]
    live = {b["bill_id"]: b for b in in_sight if b["amount"] > 0 and b["bill_id"] not in cancelled}
    lacking = {name: b["amount"] for name, b in live.items()}
    laid, credits, named = defaultdict(list), defaultdict(list), defaultdict(list)

    for p in payments:
        taken_back = [r for r in payments if r["reverses_payment_id"] == p["payment_id"] and r["paid_on"] < as_of]
        left = p["amount"] - sum(r["amount"] for r in taken_back)
        if p["reverses_payment_id"] or p["paid_on"] >= as_of or left <= 0:
            continue
        if p["bill_id"] is None or p["bill_id"] in cancelled:
            credits[p["customer_id"]].append((p["paid_on"], p["payment_id"], left))
        elif p["bill_id"] in live:
            named[p["bill_id"]].append((p["paid_on"], p["payment_id"], left))

    def lay(name, day, money, *, is_credit):
        used = min(money, lacking[name])
        lacking[name] -= used
        if used:
            laid[name].append((day, used, is_credit))
        return money - used

    for name, parts in named.items():
        over = sum(lay(name, day, money, is_credit=False) for day, _, money in sorted(parts))
        if over:
            credits[live[name]["customer_id"]].append((max(parts)[0], name, over))

    for customer, parts in credits.items():
        own = sorted((b for b in live.values() if b["customer_id"] == customer), key=_age)
        first = min((b["issued_on"] for b in in_sight if b["customer_id"] == customer), default=as_of)
        for day, _, money in sorted(parts):
            left = money if day >= first else 0
            for b in own:
                left = lay(b["bill_id"], day, left, is_credit=True)

    return {
        name: {
            "paid": b["amount"] - lacking[name],
            "unpaid": lacking[name],
            "paid_by_due": sum(used for day, used, _ in laid[name] if day <= b["due_on"]),
            "settled_on": None if lacking[name] else max(day for day, *_ in laid[name]),
            "credit": sum(used for _, used, is_credit in laid[name] if is_credit),
            "credit_on": max((day for day, _, is_credit in laid[name] if is_credit), default=None),
        }
        for name, b in live.items()
    }


def _age(b):
    return b["due_on"], b["issued_on"], b["bill_id"]


@st.composite
def histories(draw, prefix=""):
    """Bills and payments of two customers over 200 days: cancellations, replacements, and money early, late, in parts,
    too much, for no bill or one that is gone, taken back in part or whole; some of it recorded late."""
    amounts = st.integers(1, 6).map(lambda n: Decimal(n) * 25)
    days = st.integers(0, DAYS).map(lambda n: FIRST_DAY + timedelta(days=n))
    customers = st.sampled_from([f"{prefix}{name}" for name in "aab"])
    odd = st.sampled_from([Decimal(0), Decimal(0), Decimal("0.37"), Decimal("-0.01")])

    def recorded(day):
        return day + timedelta(days=draw(st.sampled_from([0, 0, 0, 20, 45])))

    bills, payments = [], []
    for n in range(draw(st.integers(1, 7))):
        customer, issued = draw(customers), draw(days)
        cancels = draw(st.sampled_from([None, None, *(b["bill_id"] for b in bills if b["customer_id"] == customer)]))
        amount = draw(st.one_of(amounts, st.just(Decimal(0)))) * (draw(st.sampled_from([1, -1])) if cancels else 1)
        due = issued + timedelta(days=draw(st.integers(0, 40)))
        name = f"{prefix}b{n}"
        bills.append(bill(name, customer, amount, issued, due, cancels=cancels, recorded=recorded(issued)))
    for n in range(draw(st.integers(0, 9))):
        name, amount = f"{prefix}p{n}", draw(amounts) + draw(odd)
        p = draw(st.sampled_from([None, None, *(p for p in payments if not p["reverses_payment_id"])]))
        if p:
            paid = p["paid_on"] + timedelta(days=draw(st.integers(0, 60)))
            about = {"names": p["bill_id"], "reverses": p["payment_id"], "recorded": recorded(paid)}
            payments.append(payment(name, p["customer_id"], min(amount, p["amount"]), paid, **about))
        else:
            customer, paid = draw(customers), draw(days)
            own = [b["bill_id"] for b in bills if b["customer_id"] == customer and b["amount"] > 0]
            names = draw(st.sampled_from([None, *own, *own]))
            payments.append(payment(name, customer, amount, paid, names=names, recorded=recorded(paid)))
    return bills, payments
