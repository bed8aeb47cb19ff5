"""Accounts made by hand, with what is right for each: every one comes out as it says."""

import csv
from collections import defaultdict
from datetime import date, timedelta
from math import log1p

import pyarrow as pa
import pytest

from pipeline.customers.parameters import parameters
from pipeline.engine import open_engine, queries
from pipeline.lake.known_records import families, lake_begins
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.source.write import arrow_schema
from tests.support.published_data import shared_data

MONTH = RatingMonth(2026, 10)
QUERY = """
select
    p.customer_id,
    p.on_time_payment_rate,
    p.amount_weighted_days_late,
    p.max_days_past_due,
    coalesce(o.overdue, 0) as overdue,
    p.arrears_ratio,
    coalesce(p.arrears_recovery_rate, 1) as arrears_recovery_rate,
    c.avg_monthly_kwh,
    d.customer_id is not null as is_in_default
from payment as p
inner join consumption as c on c.customer_id = p.customer_id
left join default_status as d on d.customer_id = p.customer_id
left join (
    select
        customer_id,
        sum(unpaid) as overdue
    from bill_status
    where due_on < :as_of
    group by customer_id
) as o on o.customer_id = p.customer_id
"""


def test_every_account_comes_out_as_expected(tmp_path):
    folder = shared_data("accounts")
    files = [folder / f"{name}.csv" for name in contract()]
    rows = {path.stem: list(csv.DictReader(path.open())) for path in files if path.exists()}
    found = _indices(rows, RatingMonth(2022, 10), tmp_path)
    expected = list(csv.DictReader((folder / "expected.csv").open()))
    assert len(expected) > 15
    for row in expected:
        name, _ = row.pop("customer_id"), row.pop("what")
        is_in_default = row.pop("is_in_default") == "true"
        account = {key: float(found[name][key]) for key in row}
        assert account == pytest.approx({key: float(value) for key, value in row.items()}, abs=1e-6), name
        assert found[name]["is_in_default"] == is_in_default, name


def _indices(rows, begins, home):
    """What QUERY finds for each customer in rows as text by table, in a lake that begins with a month."""
    policy = Policy.load()
    with open_engine(Settings(home=home, threads=2)) as engine:
        for name in contract():
            engine.bind_table(name, _table(name, rows.get(name, [])))
        engine.bind_table("families", families(policy))
        engine.bind_table("lake_begins", lake_begins(begins.first_day))
        found = engine.fetch(queries.compose(QUERY), parameters(policy, MONTH)).to_pylist()
    return {row.pop("customer_id"): row for row in found}


def _table(name, rows):
    schema = arrow_schema(name)
    columns = (pa.array([row.get(field.name) or None for row in rows], pa.string()) for field in schema)
    return pa.table([column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema)


class Accounts:
    """Rows as text by table. A month's bill asks for 60 and says 100 kWh, is issued on the 3rd and due on the 23rd."""

    def __init__(self):
        self.rows = defaultdict(list)

    def open(self, customer, *, connected="2020-01-10"):
        self.rows["customers"].append(
            {
                "customer_id": customer,
                "segment": "residential",
                "region": "r1",
                "feeder_id": "f1",
                "connected_on": connected,
                "recorded_at": f"{connected}T12:00:00Z",
            }
        )

    def bill(self, customer, month, *, amount=60, kwh=100, name="", months=1, cancels=None, issued=None):
        issued = issued or RatingMonth.parse(month).first_day + timedelta(days=2)
        bill_id = f"{customer}-{month}{name}"
        covers = {"period_start": (RatingMonth.parse(month) - (months - 1)).first_day} if months > 1 else {}
        covers |= {"period_end": (RatingMonth.parse(month) + 1).first_day} if months > 1 else {}
        self._add(
            "bills",
            issued,
            covers,
            bill_id=bill_id,
            customer_id=customer,
            billing_month=RatingMonth.parse(month).first_day,
            issued_on=issued,
            due_on=issued + timedelta(days=20),
            amount=amount,
            kwh="" if kwh is None else kwh,
            is_estimated="false",
            cancels_bill_id=cancels or "",
        )
        return bill_id

    def pay(self, customer, day, *, amount=60, names="", reverses="", recorded=None):
        day = date.fromisoformat(day) if isinstance(day, str) else day
        payment_id = f"P{len(self.rows['payments'])}"
        self._add(
            "payments",
            date.fromisoformat(recorded) if recorded else day,
            payment_id=payment_id,
            customer_id=customer,
            bill_id=names,
            paid_on=day,
            amount=amount,
            reverses_payment_id=reverses,
        )
        return payment_id

    def register(self, customer, as_of, amount, days):
        flags = {"is_disputed": "false", "is_on_payment_plan": "false"}
        day = date.fromisoformat(as_of)
        self._add(
            "arrears",
            day,
            flags,
            customer_id=customer,
            as_of=day,
            amount_overdue=amount,
            days_past_due=days,
            late_fee=0,
        )

    def balance(self, customer, as_of, owed):
        self._add("account_balances", date.fromisoformat(as_of), customer_id=customer, as_of=as_of, balance=owed)

    def live(self, customer, first="2025-11", last="2026-10", *, late=0, names=True, but=(), connected="2020-01-10"):
        """A bill a month, each paid so many days after its due date, except those of the months ``but``."""
        self.open(customer, connected=connected)
        for month in RatingMonth.span(RatingMonth.parse(first), RatingMonth.parse(last)):
            if str(month) not in but:
                bill = self.bill(customer, str(month))
                self.pay(customer, month.first_day + timedelta(days=22 + late), names=bill if names else "")

    def _add(self, table, recorded, *more, **values):
        row = {name: str(value) for part in (*more, values) for name, value in part.items()}
        self.rows[table].append(row | {"recorded_at": f"{recorded}T12:00:00Z"})


def _every_kind():
    """Accounts, and what is right for each: P1 to P5 with the overdue amount before P4, kWh a month, default."""
    made, right = Accounts(), {}
    perfect = (1, 0, 0, 0, 0, 1, 100, False)
    late = (0, (11 * 10 + 9) / 12, 10, 60, 1, 11 / 12, 100, False)

    made.live("on time, unnamed", names=False)
    right["on time, unnamed"] = perfect
    for name, names in (("late, named", True), ("late, unnamed", False)):
        made.live(name, late=10, names=names)  # October's bill is paid on 2 November
        right[name] = late

    made.live("behind by an opening balance", "2025-01", names=False)
    made.balance("behind by an opening balance", "2024-12-31", 60)
    of_a_year = 30 + 31 + 31 + 28 + 31 + 30 + 31 + 30 + 31 + 31 + 30 + 9  # each bill is paid on the next one's due date
    right["behind by an opening balance"] = (0, of_a_year / 12, 31, 60, 1, 21 / 22, 100, False)

    made.live("in three parts", but=["2026-05"])
    bill = made.bill("in three parts", "2026-05")
    for day in ("2026-05-23", "2026-05-28", "2026-06-12"):
        made.pay("in three parts", day, amount=20, names=bill)
    right["in three parts"] = (11 / 12, 20 / 12, 20, 0, 0, 1, 100, False)

    made.live("three by one", but=["2026-02", "2026-03", "2026-04"])
    bill, *_ = (made.bill("three by one", month) for month in ("2026-02", "2026-03", "2026-04"))
    made.pay("three by one", "2026-04-23", amount=180, names=bill)
    right["three by one"] = (10 / 12, (59 + 31) / 12, 59, 0, 0, 1, 100, False)

    made.live("taken back", but=["2026-07"])
    bill = made.bill("taken back", "2026-07")
    back = made.pay("taken back", "2026-07-23", names=bill)
    made.pay("taken back", "2026-08-01", names=bill, reverses=back)
    right["taken back"] = (11 / 12, 101 / 12, 101, 60, 1, 0, 100, True)

    made.live("billed anew")
    made.bill(
        "billed anew", "2026-06", name="-new", amount=45, kwh=75, cancels="billed anew-2026-06", issued=date(2026, 8, 3)
    )
    right["billed anew"] = (1, 0, 0, 0, 0, 1, (1100 + 75) / 12, False)

    made.live("credit note", but=["2026-10"])
    made.bill("credit note", "2026-09", name="-note", amount=-25, kwh=None, issued=date(2026, 9, 10))
    made.pay("credit note", "2026-10-23", amount=35, names=made.bill("credit note", "2026-10"))
    right["credit note"] = perfect

    made.live("a bill of nothing", but=["2026-03", "2026-04"])
    made.pay("a bill of nothing", "2026-03-23", names=made.bill("a bill of nothing", "2026-03", amount=0, kwh=0))
    made.bill("a bill of nothing", "2026-04")
    right["a bill of nothing"] = (1, 0, 0, 0, 0, 1, 1100 / 12, False)

    made.live("three cents short", but=["2026-08", "2026-09"])
    for month in ("2026-08", "2026-09"):
        made.pay("three cents short", f"{month}-23", amount="59.97", names=made.bill("three cents short", month))
    right["three cents short"] = perfect

    made.live("two meters")
    for month in RatingMonth.span(RatingMonth(2025, 11), MONTH):
        bill = made.bill("two meters", str(month), name="-2", amount=30, kwh=None)
        if str(month) != "2026-09":
            made.pay("two meters", month.first_day + timedelta(days=22), amount=30, names=bill)
    right["two meters"] = (23 / 24, 39 * 30 / 1080, 39, 30, 30 / 90, 0, 100, False)

    made.open("every two months")
    for month in ("2025-12", "2026-02", "2026-04", "2026-06", "2026-08", "2026-10"):
        bill = made.bill("every two months", month, amount=120, kwh=200, months=2)
        if month != "2026-10":
            made.pay("every two months", f"{month}-23", amount=120, names=bill)
    right["every two months"] = (5 / 6, 9 / 6, 9, 120, 2, 0, 100, False)

    made.live("four are left", but=["2026-03"])
    bill = made.bill("four are left", "2026-03", amount=600)
    made.pay("four are left", "2026-06-21", amount=596, names=bill)
    right["four are left"] = (11 / 12, 223 * 600 / 1260, 223, 4, 4 * 12 / 1260, 596 / 600, 100, False)

    made.live("two years old")
    made.bill("two years old", "2024-08")
    right["two years old"] = (1, 0, 800, 60, 1, 1, 100, True)

    made.live("little and old", but=["2026-07", "2026-10"])
    made.pay("little and old", "2026-07-23", amount=58, names=made.bill("little and old", "2026-07"))
    made.bill("little and old", "2026-10")
    made.register("little and old", "2026-09-30", 2, 69)
    made.register("little and old", "2026-10-31", 62, 100)
    right["little and old"] = (10 / 12, (101 + 9) / 12, 101, 62, 62 / 60, 0, 100, False)

    made.live("booked after the register", but=["2026-03"])
    bill = made.bill("booked after the register", "2026-03")
    made.pay("booked after the register", "2026-03-23", names=bill, recorded="2026-06-05")
    made.register("booked after the register", "2026-04-30", 60, 38)
    made.register("booked after the register", "2026-05-31", 60, 69)
    right["booked after the register"] = perfect

    made.open("a year ahead")
    for month in RatingMonth.span(RatingMonth(2025, 10), MONTH):
        made.bill("a year ahead", str(month))
    for year in (2025, 2026):
        made.pay("a year ahead", f"{year}-10-23", amount=720, names=f"a year ahead-{year}-10")
    right["a year ahead"] = perfect

    made.live("ahead of the first bill", "2026-08", connected="2026-03-10")
    made.pay("ahead of the first bill", "2026-03-12", amount=200)
    for month in ("2026-04", "2026-05", "2026-06", "2026-07"):
        bill = made.bill("ahead of the first bill", month)
    made.pay("ahead of the first bill", "2026-07-20", amount=40, names=bill)
    right["ahead of the first bill"] = perfect
    return made.rows, right


def test_accounts_of_every_kind_are_as_worked_out_by_hand(tmp_path):
    rows, right = _every_kind()
    found = _indices(rows, RatingMonth(2024, 8), tmp_path)
    assert found.keys() == right.keys()
    for name, (*numbers, kwh, is_in_default) in right.items():
        *measured, avg_monthly_kwh, default = found[name].values()
        assert [float(number) for number in measured] == pytest.approx(numbers, abs=1e-9), name
        assert (avg_monthly_kwh, default) == (pytest.approx(log1p(kwh)), is_in_default), name
