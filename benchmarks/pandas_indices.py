"""The indices P1-P6 and C1-C3 in plain pandas: what sql/indices does, written the way one would in a notebook.

It is the other side of the benchmark, and of a test that both give the same numbers. Money is counted in cents and
energy in watt-hours, as integers, so that sums are exact here too.
"""

import numpy as np
import pandas as pd

DAY = np.timedelta64(1, "D")


def indices(tables: dict[str, pd.DataFrame], as_of: pd.Timestamp, policy) -> pd.DataFrame:
    """One row per customer connected at ``as_of``, indexed by customer_id. Tables as in the source contract."""
    parameters = policy.index_parameters
    customers = tables["customers"]
    closed = customers["closed_on"]
    rated = customers[(customers["connected_on"] < as_of) & (closed.isna() | (closed >= as_of))]
    result = pd.DataFrame(index=pd.Index(rated["customer_id"], name="customer_id").sort_values())
    bills = live_bills(tables["bills"], as_of, parameters.bill_history_months)
    status = bill_status(bills, tables["bills"], received(tables, as_of), as_of, parameters.bill_history_months)
    for columns in (
        payment(status, as_of, parameters),
        delinquency(tables["arrears"], tables["collection_events"], as_of, parameters),
        consumption(bills, as_of, parameters),
    ):
        result = result.join(columns)
    known = result["bill_days_past_due"].notna() | result["register_days_past_due"].notna()
    days = result[["bill_days_past_due", "register_days_past_due"]].fillna(0).max(axis=1)
    result["max_days_past_due"] = days.where(known & (result["has_bills"].notna() | (days > 0)))
    result["decayed_delinquency"] = result["decayed_delinquency"].fillna(0.0)
    result["arrears_recovery_rate"] = result["arrears_recovery_rate"].fillna(1.0)
    return result[list(policy.indices)]


def live_bills(bills: pd.DataFrame, as_of: pd.Timestamp, history_months: int) -> pd.DataFrame:
    issued = bills[bills["issued_on"] < as_of]
    cancelled = issued["cancels_bill_id"].dropna()
    start = as_of - pd.DateOffset(months=history_months)
    asks = (issued["amount"] > 0) | issued["cancels_bill_id"].isna()
    live = issued[(issued["due_on"] >= start) & asks & ~issued["bill_id"].isin(cancelled)]
    return live.assign(cents=_integer(live["amount"], 100), wh=_integer(live["kwh"], 1000))


def received(tables: dict[str, pd.DataFrame], as_of: pd.Timestamp) -> pd.DataFrame:
    bills, payments = tables["bills"], tables["payments"]
    cancelled = bills.loc[bills["issued_on"] < as_of, "cancels_bill_id"].dropna()
    dated = payments[payments["paid_on"] < as_of]
    dated = dated.assign(cents=_integer(dated["amount"], 100))
    takes_back = dated["reverses_payment_id"].notna()
    taken = dated[takes_back].groupby("reverses_payment_id")["cents"].sum()
    money = dated[~takes_back].copy()
    money["cents"] -= money["payment_id"].map(taken).fillna(0).astype("int64")
    money["bill_id"] = money["bill_id"].mask(money["bill_id"].isin(cancelled))
    return money[money["cents"] > 0]


def bill_status(
    bills: pd.DataFrame, all_bills: pd.DataFrame, money: pd.DataFrame, as_of: pd.Timestamp, history_months: int
) -> pd.DataFrame:
    """Bills that ask for money, with paid, paid_by_due (cents) and settled_on."""
    bills = bills[bills["cents"] > 0]
    named = money[money["bill_id"].notna()].merge(
        bills[["bill_id", "due_on", "cents"]], on="bill_id", suffixes=("", "_billed")
    )
    named = named.sort_values(["bill_id", "paid_on", "payment_id"])
    named["so_far"] = named.groupby("bill_id")["cents"].cumsum()
    named["in_time"] = named["cents"].where(named["paid_on"] <= named["due_on"], 0)
    named["complete_on"] = named["paid_on"].where(named["so_far"] >= named["cents_billed"])
    direct = named.groupby("bill_id").agg(
        received=("cents", "sum"),
        received_in_time=("in_time", "sum"),
        last_paid_on=("paid_on", "max"),
        complete_on=("complete_on", "min"),
    )
    status = bills.merge(direct, left_on="bill_id", right_index=True, how="left")
    for column in ("received", "received_in_time"):
        status[column] = status[column].fillna(0).astype("int64")
    credited = credit(status, all_bills, money, as_of, history_months)
    status = status.merge(credited, left_on="bill_id", right_index=True, how="left")
    for column in ("credit", "credit_in_time"):
        status[column] = status[column].fillna(0).astype("int64")
    status["paid"] = status["received"].clip(upper=status["cents"]) + status["credit"]
    status["paid_by_due"] = (status["received_in_time"] + status["credit_in_time"]).clip(upper=status["cents"])
    by_credit = status[["last_paid_on", "credit_on"]].max(axis=1).where(status["paid"] >= status["cents"])
    status["settled_on"] = status["complete_on"].fillna(by_credit)
    return status


def credit(
    status: pd.DataFrame, all_bills: pd.DataFrame, money: pd.DataFrame, as_of: pd.Timestamp, history_months: int
) -> pd.DataFrame:
    """What money without a bill of its own pays, oldest bill first: credit, credit_in_time (cents), credit_on."""
    unnamed = money[money["bill_id"].isna()][["customer_id", "payment_id", "paid_on", "cents"]]
    over = status[status["received"] > status["cents"]]
    over = pd.DataFrame(
        {
            "customer_id": over["customer_id"],
            "payment_id": over["bill_id"],
            "paid_on": over["last_paid_on"],
            "cents": over["received"] - over["cents"],
        }
    )
    credits = pd.concat([unnamed, over], ignore_index=True)
    start = as_of - pd.DateOffset(months=history_months)
    in_sight = all_bills[(all_bills["issued_on"] < as_of) & (all_bills["due_on"] >= start)]
    in_sight = in_sight[in_sight["customer_id"].isin(credits["customer_id"])]
    first = in_sight.groupby("customer_id")["issued_on"].min()
    credits = credits[credits["paid_on"] >= credits["customer_id"].map(first)]
    credits = credits.sort_values(["customer_id", "paid_on", "payment_id"])
    credits["to"] = credits.groupby("customer_id")["cents"].cumsum()
    owing = status[(status["received"] < status["cents"]) & status["customer_id"].isin(credits["customer_id"])]
    owing = owing.sort_values(["customer_id", "due_on", "issued_on", "bill_id"])
    owing = owing.assign(open=owing["cents"] - owing["received"])
    owing["to"] = owing.groupby("customer_id")["open"].cumsum()
    pairs = owing[["customer_id", "bill_id", "due_on", "open", "to"]].merge(
        credits[["customer_id", "paid_on", "cents", "to"]], on="customer_id", suffixes=("", "_credit")
    )
    starts = np.maximum(pairs["to"] - pairs["open"], pairs["to_credit"] - pairs["cents"])
    pairs["credit"] = np.minimum(pairs["to"], pairs["to_credit"]) - starts
    pairs = pairs[pairs["credit"] > 0]
    pairs["credit_in_time"] = pairs["credit"].where(pairs["paid_on"] <= pairs["due_on"], 0)
    return pairs.groupby("bill_id").agg(
        credit=("credit", "sum"), credit_in_time=("credit_in_time", "sum"), credit_on=("paid_on", "max")
    )


def payment(status: pd.DataFrame, as_of: pd.Timestamp, parameters) -> pd.DataFrame:
    year, two_years = as_of - pd.DateOffset(months=12), as_of - pd.DateOffset(months=24)
    settled = status["settled_on"].fillna(as_of)
    days_late = ((settled - status["due_on"]) // DAY).clip(lower=0)
    past = status["due_on"] < as_of
    due = past & (status["due_on"] >= year)
    recent = past & (status["due_on"] >= two_years)
    billed = (status["billing_month"] >= year) & (status["billing_month"] < as_of)
    reached = past & (status["settled_on"].isna() | (status["settled_on"] >= year))
    facts = pd.DataFrame(
        {
            "customer_id": status["customer_id"],
            "bills_due": due,
            "on_time": due & (status["settled_on"] <= status["due_on"]),
            "cents_days": (status["cents"] * days_late).where(due, 0).astype("int64"),
            "cents_due": status["cents"].where(due, 0),
            "bill_days_past_due": days_late.where(reached),
            "overdue": (status["cents"] - status["paid"]).where(past, 0),
            "billed": status["cents"].where(billed, 0),
            "became_overdue": (status["cents"] - status["paid_by_due"]).where(recent, 0),
            "recovered": (status["paid"] - status["paid_by_due"]).where(recent, 0),
        }
    ).groupby("customer_id")
    sums = facts.sum()
    months = status[billed].groupby("customer_id")["billing_month"].nunique().reindex(sums.index)
    return pd.DataFrame(
        {
            "has_bills": 1,
            "on_time_payment_rate": (sums["on_time"] / sums["bills_due"]).where(
                sums["bills_due"] >= parameters.min_bills_due
            ),
            "amount_weighted_days_late": (sums["cents_days"] / sums["cents_due"]).where(sums["cents_due"] > 0),
            "arrears_ratio": (sums["overdue"] * months / sums["billed"]).where(sums["billed"] > 0),
            "arrears_recovery_rate": (sums["recovered"] / sums["became_overdue"]).where(sums["became_overdue"] > 0),
            "bill_days_past_due": facts["bill_days_past_due"].max().fillna(0),
        }
    )


def delinquency(arrears: pd.DataFrame, events: pd.DataFrame, as_of: pd.Timestamp, parameters) -> pd.DataFrame:
    year, four_years = as_of - pd.DateOffset(months=12), as_of - pd.DateOffset(months=48)
    register = arrears[(arrears["as_of"] >= year) & (arrears["as_of"] < as_of)]
    register = register.sort_values("recorded_at").drop_duplicates(["customer_id", "as_of"], keep="last")
    events = events[(events["occurred_on"] >= four_years) & (events["occurred_on"] < as_of)]
    months = (as_of - events["occurred_on"]) / DAY / 30.4375
    severity = events["event_type"].map(parameters.delinquency_severity.model_dump()).fillna(0)
    weight = (severity * 2.0 ** (-months / parameters.delinquency_half_life_months)).round(9)
    return pd.DataFrame(
        {
            "register_days_past_due": register.groupby("customer_id")["days_past_due"].max(),
            "decayed_delinquency": weight.groupby(events["customer_id"]).sum(),
        }
    )


def consumption(bills: pd.DataFrame, as_of: pd.Timestamp, parameters) -> pd.DataFrame:
    earlier, year, recent = (as_of - pd.DateOffset(months=months) for months in (15, 12, 3))
    reads = bills[bills["kwh"].notna() & ~bills["is_estimated"].astype(bool) & (bills["billing_month"] >= earlier)]
    monthly = reads.groupby(["customer_id", "billing_month"])["wh"].sum().astype("float64").reset_index()
    monthly["wh"] /= 1000

    def part(chosen: pd.Series):
        return monthly[chosen].groupby("customer_id")["wh"]

    within = part(monthly["billing_month"] >= year)
    now, before = part(monthly["billing_month"] >= recent), part(monthly["billing_month"] < year)
    trend = (now.mean() / before.mean().where(before.mean() > 0) - 1).clip(-1, 3)
    enough = (within.size() >= parameters.min_months_of_reads) & (within.sum() > 0)
    volatility = (within.std() / within.mean()).where(enough)
    return pd.DataFrame(
        {
            "avg_monthly_kwh": np.log1p(within.mean()),
            "consumption_trend": trend,
            "consumption_volatility": volatility,
        }
    )


def _integer(values: pd.Series, scale: int) -> pd.Series:
    return (values.astype("float64") * scale).round().fillna(0).astype("int64")
