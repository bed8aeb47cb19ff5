"""What must hold of the indices whatever the records are."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.customers.index_query import indices_query
from pipeline.customers.parameters import parameters
from pipeline.engine import open_engine, queries
from pipeline.lake.known_records import families, lake_begins
from pipeline.maintenance.case_tables import SCHEMAS
from pipeline.month import RatingMonth
from pipeline.scorecard import ExpertScorecard
from pipeline.settings import Settings
from tests.support.billing_simulation import TOLERANCE, bill, histories, payment, simulated

MONTH = RatingMonth(2026, 6)
AS_OF = (MONTH + 1).first_day
WORSE_IF_HIGHER = ("amount_weighted_days_late", "max_days_past_due", "arrears_ratio", "decayed_delinquency")


@pytest.fixture(scope="module")
def indices(tmp_path_factory, policy):
    """Bills, payments and events in, the payment indices by customer_id out."""
    query = queries.compose("select * from payment")
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        engine.bind_table("families", families(policy))
        engine.bind_table("lake_begins", lake_begins(AS_OF.replace(2010)))

        def run(bills=(), payments=(), events=(), customers=None, **changed):
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
                "account_balances": [],
            }
            for name, rows in tables.items():
                engine.bind_table(name, pa.Table.from_pylist(list(rows), SCHEMAS[name]))
            found = engine.fetch(query, parameters(policy, MONTH) | changed).to_pylist()
            return {row.pop("customer_id"): row for row in found}

        yield run


@pytest.fixture(scope="module")
def measured(tmp_path_factory, policy):
    """Tables in; one row a customer out, of every index of the policy with flag and band, or of another query."""
    everything = indices_query(policy, policy.indices)
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        engine.bind_table("families", families(policy))

        def run(customers, query=everything, **tables):
            tables["customers"] = [{"connected_on": AS_OF.replace(2010), **row} for row in customers]
            for name, schema in SCHEMAS.items():
                engine.bind_table(name, pa.Table.from_pylist(tables.get(name, []), schema))
            engine.bind_table("lake_begins", lake_begins(AS_OF.replace(2010)))
            return engine.fetch(query, parameters(policy, MONTH)).to_pandas().set_index("customer_id")

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


def repayment(data, bills, payments):
    """Half or all of what an overdue bill lacks, on a day after it was due; None where nothing is overdue."""
    status = simulated(bills, payments, AS_OF)
    overdue = [b for b in bills if b["due_on"] < AS_OF - timedelta(days=1) and status[b["bill_id"]]["unpaid"]]
    if not overdue:
        return None
    late = data.draw(st.sampled_from(overdue))
    paid_on = data.draw(st.dates(late["due_on"] + timedelta(days=1), AS_OF - timedelta(days=1)))
    amount = status[late["bill_id"]]["unpaid"] / data.draw(st.sampled_from([1, 2]))
    names = late["bill_id"] if all(row["bill_id"] for row in payments) else None
    return payment("repaid", "c", amount, paid_on, names=names)


@trials(max_examples=8, deadline=None)
@given(st.lists(payers(), min_size=8, max_size=8), st.data())
def test_to_repay_arrears_worsens_no_index_and_lowers_no_score(measured, policy, several, data):
    tables, debtors = {"bills": [], "payments": []}, []
    for number, (bills, payments) in enumerate(several):
        if repaid := repayment(data, bills, payments):
            debtors.append(f"{number}-c")
            for whose, money in (("owes", payments), ("repays", [*payments, repaid])):
                tables["bills"] += of(f"{whose}-{number}", bills)
                tables["payments"] += of(f"{whose}-{number}", money)
    assume(debtors)
    everybody = [f"{whose}-{name}" for name in debtors for whose in ("owes", "repays")]
    found = measured([{"customer_id": name, "segment": "residential"} for name in everybody], **tables)
    owes, repays = (found.loc[[f"{whose}-{name}" for name in debtors]] for whose in ("owes", "repays"))
    for name in policy.scored("residential"):
        sign = 1 if policy.indices[name].direction == "+" else -1
        better = sign * (repays[name].to_numpy() - owes[name].to_numpy())
        assert not (better < 0).any(), name
    assert not (repays["is_in_default"].to_numpy() & ~owes["is_in_default"].to_numpy()).any()
    weights = {f"{name}_band": weight for name, weight in policy.expert_weights("residential").items()}
    scorecard = ExpertScorecard(policy.expert.intercept, weights, policy.expert.missing_band)
    assert (scorecard.score(repays) >= scorecard.score(owes)).all()


MONEY = (
    "total_assets",
    "total_liabilities",
    "current_assets",
    "current_liabilities",
    "net_profit",
    "average_net_assets",
    "loans_due",
    "loans_repaid_on_schedule",
)


@st.composite
def statements(draw):
    """Up to five statements of one customer, some for the same year, some not valid."""
    amounts = st.integers(0, 5).map(lambda n: Decimal(n) * 25)
    signed = st.integers(-2, 3).map(lambda n: Decimal(n) * 25)
    rows = []
    for n in range(draw(st.integers(1, 5))):
        year_end = draw(st.sampled_from([AS_OF.replace(year, 1, 1) - timedelta(days=1) for year in (2024, 2025, 2026)]))
        published = year_end + timedelta(days=draw(st.integers(30, 200)))
        rows.append(
            {"statement_id": f"s{n}", "customer_id": "c", "period_end": year_end, "published_on": published}
            | {"recorded_at": datetime.combine(published, time(12), UTC)}
            | {name: draw(signed if name in ("net_profit", "average_net_assets") else amounts) for name in MONEY}
        )
    return rows


@trials(max_examples=50, deadline=None)
@given(statements(), st.randoms(use_true_random=False))
def test_finance_depends_neither_on_the_currency_nor_on_the_order_of_rows(measured, rows, random):
    tenfold = [row | {name: row[name] * 10 for name in MONEY} for row in rows]
    for number, row in enumerate(tenfold):
        row |= {"customer_id": "tenfold", "statement_id": f"t{number}"}
    shuffled = [row | {"customer_id": "shuffled", "statement_id": f"u{row['statement_id']}"} for row in rows]
    random.shuffle(shuffled)
    customers = [{"customer_id": name, "segment": "industrial"} for name in ("c", "tenfold", "shuffled")]
    finance = queries.compose("select * from finance")
    found = measured(customers, finance, financial_statements=rows + tenfold + shuffled)
    for same in ("tenfold", "shuffled"):
        pd.testing.assert_series_equal(found.loc[same], found.loc["c"], check_names=False, rtol=1e-12)


@trials(max_examples=15, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_neither_the_currency_nor_the_order_of_rows_changes_an_index(indices, history, random):
    bills, payments = history
    tenfold = [[row | {"amount": row["amount"] * 10} for row in of("tenfold", rows)] for rows in history]
    as_it_was = indices(bills, payments)
    found = indices(*tenfold, settlement_tolerance=TOLERANCE * 10)
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
