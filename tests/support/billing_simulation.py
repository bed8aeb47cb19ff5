"""Accounts at random, and what becomes of them worked out in plain Python, one part of money at a time."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

FIRST_DAY = date(2026, 1, 1)
DAYS = 200
TOLERANCE = Decimal("0.05")
ZERO = Decimal(0)
DAY = timedelta(days=1)


def bill(bill_id, customer, amount, issued, due, *, cancels=None, recorded=None, months=1):
    period_start = (issued.replace(day=1) - timedelta(days=30 * (months - 1))).replace(day=1)
    return {
        "bill_id": bill_id,
        "customer_id": customer,
        "billing_month": issued.replace(day=1),
        "period_start": period_start if months > 1 else None,
        "period_end": (issued.replace(day=1) + timedelta(days=31)).replace(day=1) if months > 1 else None,
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


class Account(NamedTuple):
    """What a customer's records come to: ``bills`` by bill_id ('' is the opening balance), ``opening`` (negative: a
    credit), and what is ``left`` of the credits."""

    bills: dict[str, dict[str, Any]]
    opening: Decimal
    left: Decimal


def simulated(bills, payments, as_of, **more):
    """What sql/lake/facts/bill_status.sql says of bills, by bill_id."""
    found = {}
    for customer in {row["customer_id"] for row in (*bills, *payments)}:
        found |= account(customer, bills, payments, as_of, **more).bills
    return found


def account(customer, bills, payments, as_of, *, opening=ZERO, records_begin=FIRST_DAY, write_offs=()):
    """One customer's account: money is laid on a bill until the bill is full or the money is gone. ``write_offs``: days
    and amounts (None: all) of what the utility gave up."""
    bills = [b for b in bills if b["customer_id"] == customer]
    payments = [p for p in payments if p["customer_id"] == customer]
    cancelled = {b["cancels_bill_id"] for b in bills if b["issued_on"] < as_of} - {None}
    standing = [b for b in bills if b["issued_on"] < as_of and b["bill_id"] not in cancelled]
    asking = {b["bill_id"]: b for b in standing if b["amount"] > 0}
    lacking = {name: b["amount"] for name, b in asking.items()}
    laid = defaultdict(list)

    def lay(name, day, money, *, is_credit):
        used = min(money, lacking[name])
        lacking[name] -= used
        if used:
            laid[name].append((day, used, is_credit))
        return money - used

    credits = [(b["issued_on"], f"credit note {b['bill_id']}", -b["amount"]) for b in standing if _is_note(b)]
    owing = sorted(asking.values(), key=_age)
    if opening < 0:
        credits.append((records_begin - DAY, "opening balance", -opening))
    elif opening > 0:
        asking[""] = {"due_on": records_begin - DAY, "issued_on": date.min, "bill_id": "", "amount": opening}
        owing.insert(0, asking[""])
        lacking[""] = opening
    for p in sorted(payments, key=lambda p: (p["paid_on"], p["payment_id"])):
        left = p["amount"] - sum(
            r["amount"] for r in payments if r["reverses_payment_id"] == p["payment_id"] and r["paid_on"] < as_of
        )
        if p["reverses_payment_id"] or p["paid_on"] >= as_of or left <= 0:
            continue
        named = (p["bill_id"] or "").strip()
        if named in asking and named:
            left = lay(named, p["paid_on"], left, is_credit=False)
        if left:
            credits.append((p["paid_on"], f"payment {p['payment_id']}", left))

    unused = ZERO
    for day, _, money in sorted(credits):
        left = money
        for b in owing:
            if lacking[b["bill_id"]] > TOLERANCE:
                left = lay(b["bill_id"], day, left, is_credit=True)
        unused += left

    lost = _written_off(owing, lacking, [w for w in write_offs if w[0] < as_of])
    return Account({name: _status(b, laid[name], lost.get(name)) for name, b in asking.items()}, opening, unused)


def _is_note(b):
    return b["amount"] < 0 and not b["cancels_bill_id"]


def _age(b):
    return b["due_on"], b["issued_on"], b["bill_id"]


def _written_off(owing, lacking, write_offs):
    """By bill, the day and the part of what it lacks that was given up."""
    if not write_offs:
        return {}
    day = max(day for day, _ in write_offs)
    amounts = [amount for _, amount in write_offs]
    left = Decimal("Infinity") if None in amounts else sum(amounts)
    found = {}
    for b in owing:
        missing = lacking[b["bill_id"]]
        if missing > TOLERANCE and b["due_on"] < day:
            found[b["bill_id"]] = (day, min(missing, left))
            left -= found[b["bill_id"]][1]
    return {name: lost for name, lost in found.items() if lost[1]}


def _status(b, laid, lost):
    amount, settled, so_far = b["amount"], None, ZERO
    for day, used, _ in sorted(laid):
        so_far += used
        if settled is None and amount - so_far <= TOLERANCE:
            settled = day
    if settled is None and amount <= TOLERANCE:
        settled = b["due_on"]
    by_due = sum(used for day, used, _ in laid if day <= b["due_on"])
    given_up = amount - so_far if settled else lost[1] if lost else ZERO
    return {
        "paid": so_far,
        "unpaid": amount - so_far - given_up,
        "written_off": given_up,
        "written_off_on": lost[0] if lost and not settled else None,
        "paid_by_due": by_due,
        "settled_on": settled,
        "credit": sum(used for _, used, is_credit in laid if is_credit),
        "credit_on": max((day for day, _, is_credit in laid if is_credit), default=None),
    }


def opening_balance(
    connected, bills, payments, as_of, *, records_begin, balances=(), register=(), register_begins=None
):
    """What one customer owed when the lake begins, from account balances or the register ((as_of, amount, recorded_at)
    and (as_of, amount), the one recorded last coming last) and the customer's rows."""
    known = {day: (amount, at) for day, amount, at in balances if day < as_of}
    if connected >= records_begin and not (known and min(known) < records_begin):
        return ZERO
    if known:
        day = min(known)
        return known[day][0] - _moved(bills, payments, day, known[day][1])
    listed = dict(register)
    if register_begins not in listed or register_begins >= as_of:
        return ZERO
    overdue = listed[register_begins]
    later = {b["bill_id"] for b in bills if b["amount"] > 0 and b["due_on"] > register_begins}
    at = datetime.combine(register_begins + DAY, time(0), UTC)
    moved = _moved(bills, [p for p in payments if p["bill_id"] not in later], register_begins, at, by_due=True)
    return overdue - moved if overdue > 0 or moved > 0 else ZERO


def _moved(bills, payments, day, at, by_due=False):
    """What was billed and not cancelled up to a day, less what was received, as known at an instant."""
    bills, payments = ([row for row in rows if row["recorded_at"] <= at] for rows in (bills, payments))
    gone = {b["cancels_bill_id"] for b in bills if b["issued_on"] <= day} - {None}
    billed = [
        b["amount"]
        for b in bills
        if b["issued_on"] <= day
        and b["bill_id"] not in gone
        and (b["amount"] > 0 or not b["cancels_bill_id"])
        and (not by_due or b["amount"] < 0 or b["due_on"] <= day)
    ]
    paid = [-p["amount"] if p["reverses_payment_id"] else p["amount"] for p in payments if p["paid_on"] <= day]
    return sum(billed, ZERO) - sum(paid, ZERO)


@st.composite
def histories(draw, prefix=""):
    """Bills and payments of two customers over 200 days: bills of one to twelve months, credit notes, cancellations,
    replacements, and money early, late, in parts, too much, a few cents short, for no bill, an unknown one or one that
    is gone, taken back in part or whole; some of it recorded late."""
    amounts = st.integers(1, 6).map(lambda n: Decimal(n) * 25)
    days = st.integers(0, DAYS).map(lambda n: FIRST_DAY + timedelta(days=n))
    customers = st.sampled_from([f"{prefix}{name}" for name in "aab"])
    odd = st.sampled_from([ZERO, ZERO, Decimal("0.37"), Decimal("-0.01"), Decimal("-0.05"), Decimal("-0.06")])

    def recorded(day):
        return day + timedelta(days=draw(st.sampled_from([0, 0, 0, 20, 45])))

    bills, payments = [], []
    for n in range(draw(st.integers(1, 7))):
        customer, issued = draw(customers), draw(days)
        cancels = draw(st.sampled_from([None, None, *(b["bill_id"] for b in bills if b["customer_id"] == customer)]))
        amount = draw(st.one_of(amounts, st.just(ZERO))) * draw(
            st.sampled_from([1, 1, 1, -1] if not cancels else [1, -1])
        )
        due = issued + timedelta(days=draw(st.integers(0, 40)))
        about = {"cancels": cancels, "recorded": recorded(issued), "months": draw(st.sampled_from([1, 1, 2, 3, 12]))}
        bills.append(bill(f"{prefix}b{n}", customer, amount, issued, due, **about))
    for n in range(draw(st.integers(0, 9))):
        name, amount = f"{prefix}p{n}", draw(amounts) + draw(odd)
        p = draw(st.sampled_from([None, None, *(p for p in payments if not p["reverses_payment_id"])]))
        if p:
            paid = p["paid_on"] + timedelta(days=draw(st.integers(0, 60)))
            about = {"names": p["bill_id"], "reverses": p["payment_id"], "recorded": recorded(paid)}
            payments.append(payment(name, p["customer_id"], min(amount, p["amount"]), paid, **about))
        else:
            customer, paid = draw(customers), draw(days)
            own = [b["bill_id"] for b in bills if b["customer_id"] == customer]
            names = draw(st.sampled_from([None, None, " ", f"{prefix}unknown", bills[0]["bill_id"], *own, *own, *own]))
            payments.append(payment(name, customer, amount, paid, names=names, recorded=recorded(paid)))
    return bills, payments


@st.composite
def openings(draw, customers):
    """What is known of how the accounts of these customers stood when the lake began, and what was written off: tables
    of the source, and the day from which the register tells."""
    days = st.integers(0, DAYS).map(lambda n: FIRST_DAY + timedelta(days=n))
    amounts = st.integers(-4, 8).map(lambda n: Decimal(n) * 25)
    tables = {"customers": [], "account_balances": [], "arrears": [], "collection_events": []}
    register_begins = draw(st.sampled_from([None, date(2026, 2, 28)]))
    for number, customer in enumerate(customers):
        connected = draw(st.sampled_from([FIRST_DAY - DAY, FIRST_DAY - DAY, FIRST_DAY]))
        tables["customers"].append({"customer_id": customer, "segment": "residential", "connected_on": connected})
        ends = sorted(draw(st.lists(days, max_size=2))) if register_begins is None else []
        for n, as_of in enumerate(ends):
            at = datetime.combine(as_of, time(20), UTC) + n * DAY
            row = {"customer_id": customer, "as_of": as_of, "balance": draw(amounts), "recorded_at": at}
            tables["account_balances"].append(row)
        if register_begins and draw(st.booleans()):
            at = datetime.combine(register_begins, time(20), UTC)
            row = {
                "customer_id": customer,
                "as_of": register_begins,
                "amount_overdue": abs(draw(amounts)),
                "recorded_at": at,
            }
            tables["arrears"].append(row | {"days_past_due": 1, "is_disputed": False, "is_on_payment_plan": False})
        if draw(st.sampled_from([False, False, True])):
            amount = draw(st.sampled_from([None, Decimal(40), Decimal(1000)]))
            about = {"event_id": f"{customer}-{number}", "event_type": "write_off", "occurred_on": draw(days)}
            tables["collection_events"].append({"customer_id": customer, "amount": amount, **about})
    return tables, register_begins
