"""The indices of the default policy in plain pandas: what sql/lake/indices does, written as one would in a notebook.

It is the other side of the benchmark, and of a test that both give the same numbers. Money is counted in cents and
energy in watt-hours, as integers, so that sums are exact here too.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.month import RatingMonth
from pipeline.policy import Policy

DAY = np.timedelta64(1, "D")
Since = dict[str, pd.Timestamp]  # the first day of each index's window


def indices(tables: dict[str, pd.DataFrame], month: RatingMonth, policy: Policy) -> pd.DataFrame:
    """One row per customer connected at the end of ``month``, indexed by customer_id.

    Tables as in the source contract, days as timestamps. An optional table that is not there leaves its indices null.
    """
    as_of, parameters = pd.Timestamp((month + 1).first_day), policy.index_parameters
    since = {name: as_of - pd.DateOffset(months=index.window_months) for name, index in policy.indices.items()}
    customers = tables["customers"]
    closed = customers["closed_on"]
    rated = customers[(customers["connected_on"] < as_of) & (closed.isna() | (closed >= as_of))]
    rated = rated.set_index("customer_id").sort_index()
    bills = live_bills(tables["bills"], as_of)
    tolerance = round(policy.accounts.settlement_tolerance * 100)
    status = bill_status(bills, received(tables, bills, as_of), tolerance)
    result = pd.DataFrame(index=rated.index)
    for columns in (
        payment(status, tables.get("arrears"), as_of, since, parameters),
        consumption(bills, as_of, since, parameters),
        power_factor(rated, bills, as_of, since, parameters),
    ):
        result = result.join(columns)
    for table, measured in {
        "collection_events": lambda rows: delinquency(rows, as_of, since, parameters),
        "violations": lambda rows: violations(rows, as_of, since, parameters),
        "financial_statements": lambda rows: finance(rows, as_of, since, parameters),
        "calibrations": lambda rows: calibrations(rows, as_of, since),
        "grid_accidents": lambda rows: grid_accidents(rows, as_of, since),
        "social_credit_ratings": lambda rows: social_credit(rows, as_of, parameters),
        "satisfaction_surveys": lambda rows: satisfaction(rows, rated, as_of, since, parameters),
    }.items():
        if table in tables:
            result = result.join(measured(tables[table]))
    if "outages" in tables and "service_contacts" in tables:
        result = result.join(outage_sensitivity(tables, rated, month, since, policy))
    family = rated["segment"].map(policy.family_of)
    for name, index in policy.indices.items():
        if isinstance(index.missing, float) and all(table in tables for table in index.needs):
            result[name] = result[name].fillna(index.missing)
        if index.families is not None and name in result:
            result[name] = result[name].where(family.isin(index.families))
    return result.reindex(columns=list(policy.indices))


def live_bills(bills: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    issued = bills[bills["issued_on"] < as_of]
    cancelled = issued["cancels_bill_id"].dropna()
    asks = (issued["amount"] > 0) | issued["cancels_bill_id"].isna()
    live = issued[asks & ~issued["bill_id"].isin(cancelled)]
    covered = (live["period_end"] - live["period_start"]) // DAY
    months = (covered / 30.4375).round().clip(upper=12).where(covered > 45, 1).astype("int64")
    return live.assign(cents=_integer(live["amount"], 100), wh=_integer(live["kwh"], 1000), months=months)


def received(tables: dict[str, pd.DataFrame], bills: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Payments less what was taken back; bill_id is null unless a live bill of the customer asks for money."""
    payments = tables["payments"]
    dated = payments[payments["paid_on"] < as_of]
    dated = dated.assign(cents=_integer(dated["amount"], 100))
    takes_back = dated["reverses_payment_id"].notna()
    taken = dated[takes_back].groupby("reverses_payment_id")["cents"].sum()
    money = dated[~takes_back].copy()
    money["cents"] -= money["payment_id"].map(taken).fillna(0).astype("int64")
    asking = bills[bills["cents"] > 0].set_index("bill_id")["customer_id"]
    money["bill_id"] = money["bill_id"].where(money["bill_id"].map(asking) == money["customer_id"])
    return money[money["cents"] > 0]


def bill_status(bills: pd.DataFrame, money: pd.DataFrame, tolerance: int) -> pd.DataFrame:
    """Bills that ask for money, with paid, unpaid, paid_by_due, became_overdue (cents) and settled_on. Accounts begin
    at nothing here, as in the sample utility."""
    notes = bills[bills["cents"] < 0]
    bills = bills[bills["cents"] > 0]
    named = money[money["bill_id"].notna()].merge(bills[["bill_id", "cents"]], on="bill_id", suffixes=("", "_billed"))
    named = named.sort_values(["bill_id", "paid_on", "payment_id"])
    named["so_far"] = named.groupby("bill_id")["cents"].cumsum()
    over = (named["so_far"] - named["cents_billed"]).clip(lower=0)
    over = np.minimum(over, named["cents"])
    names = ["customer_id", "payment_id", "paid_on", "cents"]
    credits = pd.concat(
        [
            money[money["bill_id"].isna()][names],
            named.assign(cents=over)[names],
            notes.assign(payment_id=notes["bill_id"], paid_on=notes["issued_on"], cents=-notes["cents"])[names],
        ],
        ignore_index=True,
    )
    direct = named.assign(cents=named["cents"] - over)
    received_by_bill = direct.groupby("bill_id")["cents"].sum()
    open_cents = bills["cents"] - bills["bill_id"].map(received_by_bill).fillna(0).astype("int64")
    owing = bills.assign(open=open_cents)[open_cents > tolerance]
    parts = pd.concat(
        [direct[["bill_id", "paid_on", "cents"]], lined_up(owing, credits[credits["cents"] > 0], tolerance)]
    )
    parts = parts[parts["cents"] > 0].merge(
        bills[["bill_id", "due_on", "cents"]], on="bill_id", suffixes=("", "_billed")
    )
    parts = parts.sort_values(["bill_id", "paid_on"])
    parts["so_far"] = parts.groupby("bill_id")["cents"].cumsum()
    parts["in_time"] = parts["cents"].where(parts["paid_on"] <= parts["due_on"], 0)
    parts["complete_on"] = parts["paid_on"].where(parts["cents_billed"] - parts["so_far"] <= tolerance)
    by_bill = parts.groupby("bill_id").agg(
        paid=("cents", "sum"), paid_by_due=("in_time", "sum"), settled_on=("complete_on", "min")
    )
    status = bills.merge(by_bill, left_on="bill_id", right_index=True, how="left")
    for column in ("paid", "paid_by_due"):
        status[column] = status[column].fillna(0).astype("int64")
    small = status["cents"] - status["paid"] <= tolerance  # settled, though nothing was paid
    status["settled_on"] = status["settled_on"].fillna(status["due_on"].where(small))
    status["unpaid"] = (status["cents"] - status["paid"]).where(status["settled_on"].isna(), 0)
    missing = status["cents"] - status["paid_by_due"]
    status["became_overdue"] = missing.where(missing > tolerance, 0)
    return status


def lined_up(owing: pd.DataFrame, credits: pd.DataFrame, tolerance: int) -> pd.DataFrame:
    """Which credit pays which bill, oldest first: bill_id, paid_on, cents.

    Where a credit ends within the tolerance of a bill's end, what it leaves missing is never paid, and all that the
    customer's later credits pay moves: they are few, and walked one by one."""
    credits = credits.sort_values(["customer_id", "paid_on", "payment_id"])
    credits["to"] = credits.groupby("customer_id")["cents"].cumsum()
    owing = owing[owing["customer_id"].isin(credits["customer_id"])]
    owing = owing.sort_values(["customer_id", "due_on", "issued_on", "bill_id"])
    owing = owing.assign(to=owing.groupby("customer_id")["open"].cumsum())
    pairs = owing[["customer_id", "bill_id", "open", "to"]].merge(
        credits[["customer_id", "paid_on", "cents", "to"]], on="customer_id", suffixes=("", "_credit")
    )
    starts = np.maximum(pairs["to"] - pairs["open"], pairs["to_credit"] - pairs["cents"])
    pairs["cents"] = np.minimum(pairs["to"], pairs["to_credit"]) - starts
    missing = pairs["to"] - pairs["to_credit"]
    ends_short = pairs["customer_id"][(pairs["cents"] > 0) & (missing > 0) & (missing <= tolerance)].unique()
    plain = pairs[(pairs["cents"] > 0) & ~pairs["customer_id"].isin(ends_short)]
    bills_of, credits_of = (
        dict(iter(each[each["customer_id"].isin(ends_short)].groupby("customer_id"))) for each in (owing, credits)
    )
    walked = [part for name in ends_short for part in walk(bills_of[name], credits_of[name], tolerance)]
    names = ["bill_id", "paid_on", "cents"]
    return pd.concat([plain[names], pd.DataFrame(walked, columns=names)]) if walked else plain[names]


def walk(owing: pd.DataFrame, credits: pd.DataFrame, tolerance: int) -> Iterator[tuple[str, pd.Timestamp, int]]:
    """One customer's credits, each paying the oldest bill of which more than the tolerance is missing."""
    bills = iter(zip(owing["bill_id"], owing["open"], strict=True))
    bill, missing = next(bills)
    for paid_on, cents in zip(credits["paid_on"], credits["cents"], strict=True):
        left = cents
        while left > 0 and bill is not None:
            paid = min(left, missing)
            yield bill, paid_on, paid
            left, missing = left - paid, missing - paid
            if missing <= tolerance:
                bill, missing = next(bills, (None, 0))


def payment(
    status: pd.DataFrame, arrears: pd.DataFrame | None, as_of: pd.Timestamp, since: Since, parameters
) -> pd.DataFrame:
    settled = status["settled_on"].fillna(as_of)
    days_late = ((settled - status["due_on"]) // DAY).clip(lower=0)
    past = status["due_on"] < as_of
    due = past & (status["due_on"] >= since["on_time_payment_rate"])
    weighed = past & (status["due_on"] >= since["amount_weighted_days_late"])
    recent = past & (status["due_on"] >= since["arrears_recovery_rate"])
    billed = (status["billing_month"] >= since["arrears_ratio"]) & (status["billing_month"] < as_of)
    reached = past & (status["settled_on"].isna() | (status["settled_on"] >= since["max_days_past_due"]))
    facts = pd.DataFrame(
        {
            "customer_id": status["customer_id"],
            "bills_due": due,
            "months_due": status["months"].where(due, 0),
            "on_time": due & (status["settled_on"] <= status["due_on"]),
            "cents_days": (status["cents"] * days_late).where(weighed, 0).astype("int64"),
            "cents_due": status["cents"].where(weighed, 0),
            "bill_days_past_due": days_late.where(reached),
            "overdue": status["unpaid"].where(past, 0),
            "billed": status["cents"].where(billed, 0),
            "became_overdue": status["became_overdue"].where(recent, 0),
            "recovered": (status["became_overdue"] - status["unpaid"]).where(
                recent & (status["became_overdue"] > 0), 0
            ),
        }
    ).groupby("customer_id")
    sums = facts.sum()
    months = by_month(status[billed]).groupby("customer_id")["month"].nunique().reindex(sums.index)
    measured = pd.DataFrame(
        {
            "on_time_payment_rate": (sums["on_time"] / sums["bills_due"]).where(
                sums[["bills_due", "months_due"]].max(axis=1) >= parameters.min_bills_due
            ),
            "amount_weighted_days_late": (sums["cents_days"] / sums["cents_due"]).where(sums["cents_due"] > 0),
            "arrears_ratio": (sums["overdue"] * months / sums["billed"]).where(sums["billed"] > 0),
            "arrears_recovery_rate": (sums["recovered"] / sums["became_overdue"]).where(sums["became_overdue"] > 0),
            "max_days_past_due": facts["bill_days_past_due"].max().fillna(0),
        }
    )
    if arrears is None:
        return measured
    register = arrears[(arrears["as_of"] >= since["max_days_past_due"]) & (arrears["as_of"] < as_of)]
    register = register.sort_values("recorded_at").drop_duplicates(["customer_id", "as_of"], keep="last")
    first_bill = status.groupby("customer_id")["issued_on"].min()
    alone = ~(register["customer_id"].map(first_bill) <= register["as_of"])
    by_register = register[alone].groupby("customer_id")["days_past_due"].max()
    by_bills = measured.pop("max_days_past_due")
    return measured.join(
        pd.concat([by_bills, by_register], axis=1).max(axis=1).rename("max_days_past_due"), how="outer"
    )


def delinquency(events: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.Series:
    severity = events["event_type"].map(parameters.delinquency_severity.model_dump()).fillna(0)
    half_life = parameters.delinquency_half_life_months
    return _decayed(events, "occurred_on", severity, half_life, as_of, since, "decayed_delinquency")


def violations(rows: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.Series:
    weight = rows["violation_type"].map(parameters.violation_weight.model_dump()).fillna(0)
    half_life = parameters.violation_half_life_months
    return _decayed(rows, "detected_on", weight, half_life, as_of, since, "violation_severity")


def _decayed(rows, day: str, weight: pd.Series, half_life: float, as_of, since: Since, name: str) -> pd.Series:
    """Weights halved every half-life of age, rounded, and added up by customer."""
    chosen = (rows[day] >= since[name]) & (rows[day] < as_of)
    rows, weight = rows[chosen], weight[chosen]
    months = (as_of - rows[day]) / DAY / 30.4375
    return (weight * 2.0 ** (-months / half_life)).round(9).groupby(rows["customer_id"]).sum().rename(name)


def consumption(bills: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.DataFrame:
    year, trend = number(as_of) - 12, number(since["consumption_trend"])
    reads = bills[bills["kwh"].notna() & ~bills["is_estimated"].astype(bool) & (bills["billing_month"] < as_of)]
    spread = by_month(reads)
    spread["wh"] = np.floor(spread["wh"] / spread["months"] + 0.5)
    monthly = spread.groupby(["customer_id", "month"])["wh"].sum().astype("float64").reset_index()
    monthly["wh"] /= 1000

    def part(chosen: pd.Series):
        return monthly[chosen].groupby("customer_id")["wh"]

    recent = reads[reads["billing_month"] >= since["avg_monthly_kwh"]]
    months = by_month(recent).groupby("customer_id")["month"].nunique()
    mean = recent.groupby("customer_id")["wh"].sum() / 1000 / months
    now, before = part(monthly["month"] >= trend + 12), part((monthly["month"] >= trend) & (monthly["month"] < year))
    varied = since["consumption_volatility"]
    within = part(monthly["month"] >= number(varied))
    several = reads[reads["billing_month"] >= varied].groupby("customer_id").size().reindex(within.size().index) > 1
    enough = several & (within.size() >= parameters.min_months_of_reads) & (within.sum() > 0)
    return pd.DataFrame(
        {
            "avg_monthly_kwh": np.log1p(mean.clip(lower=0)),
            "consumption_trend": (now.mean() / before.mean().where(before.mean() > 0) - 1).clip(-1, 3),
            "consumption_volatility": (within.std() / within.mean()).where(enough),
        }
    )


def by_month(bills: pd.DataFrame) -> pd.DataFrame:
    """A row for each ``month`` that a bill covers, as a number."""
    spread = bills.loc[bills.index.repeat(bills["months"])]
    billed = spread["billing_month"].dt
    return spread.assign(month=billed.year * 12 + billed.month - spread.groupby(level=0).cumcount())


def number(day: pd.Timestamp) -> int:
    return day.year * 12 + day.month


def power_factor(rated: pd.DataFrame, bills: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.Series:
    standard = rated["segment"].map(parameters.power_factor_standard.model_dump()).astype("float64").dropna()
    capacity = rated["contract_capacity_kva"].astype("float64")
    standard = standard[capacity.reindex(standard.index) >= parameters.power_factor_min_capacity_kva]
    reads = bills[bills["kvarh"].notna() & bills["kwh"].notna() & ~bills["is_estimated"].astype(bool)]
    reads = reads[(reads["billing_month"] >= since["power_factor_shortfall"]) & (reads["billing_month"] < as_of)]
    reads = reads[reads["customer_id"].isin(standard.index)]
    reads = reads.assign(varh=_integer(reads["kvarh"], 1000))
    monthly = reads.groupby(["customer_id", "billing_month"])[["wh", "varh"]].sum().astype("float64")
    monthly = monthly[monthly["wh"] > 0]
    customer = monthly.index.get_level_values("customer_id")
    factor = monthly["wh"] / np.hypot(monthly["wh"], monthly["varh"])
    mean = (standard.reindex(customer).to_numpy() - factor).clip(lower=0).groupby(customer).mean()
    compensated = rated["has_reactive_compensation"].reindex(standard.index).fillna(False).astype(bool)
    unmetered = pd.Series(0.0, index=standard.index[compensated])
    return mean.combine_first(unmetered).rename("power_factor_shortfall")


def finance(rows: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.DataFrame:
    valid = as_of - pd.DateOffset(months=parameters.statement_validity_months)
    rows = rows[rows["published_on"] < as_of]
    rows = rows.sort_values(["period_end", "published_on", "recorded_at", "statement_id"])
    rows = rows.drop_duplicates(["customer_id", "period_end"], keep="last")
    loans = rows[rows["period_end"] >= since["loan_repayment_on_schedule_rate"]]
    loans = loans[loans["loans_due"].notna() & loans["loans_repaid_on_schedule"].notna()]
    cents = loans[["loans_due", "loans_repaid_on_schedule"]].apply(_integer, scale=100)
    repaid = cents.groupby(loans["customer_id"]).sum()
    rows = rows[rows["published_on"] >= valid]
    last = rows.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    money = last[[name for name in rows if name.startswith(("total_", "current_", "net_", "average_"))]].astype(
        "float64"
    )
    assets, liabilities = money["total_assets"], money["total_liabilities"]
    current, due = money["current_assets"], money["current_liabilities"]
    equity = money["average_net_assets"]
    worst = parameters.min_return_on_net_assets
    return pd.DataFrame(
        {
            "asset_liability_ratio": (liabilities / assets)
            .where((assets > 0) | (liabilities > 0))
            .clip(upper=parameters.max_asset_liability_ratio),
            "current_ratio": (current / due).where((current > 0) | (due > 0)).clip(upper=parameters.max_current_ratio),
            "return_on_net_assets": (money["net_profit"] / equity).where(equity > 0, worst).clip(lower=worst),
            "loan_repayment_on_schedule_rate": (repaid["loans_repaid_on_schedule"] / repaid["loans_due"]).where(
                repaid["loans_due"] > 0
            ),
        }
    )


def calibrations(rows: pd.DataFrame, as_of: pd.Timestamp, since: Since) -> pd.Series:
    due = rows[(rows["due_on"] >= since["calibration_on_schedule_rate"]) & (rows["due_on"] < as_of)]
    on_time = due["performed_on"] <= due["due_on"]
    return on_time.groupby(due["customer_id"]).mean().rename("calibration_on_schedule_rate")


def grid_accidents(rows: pd.DataFrame, as_of: pd.Timestamp, since: Since) -> pd.Series:
    caused = rows[rows["is_customer_caused"].astype(bool)]
    caused = caused[(caused["occurred_on"] >= since["grid_accident_impact"]) & (caused["occurred_on"] < as_of)]
    impact = (caused["severity"].astype("int64") * caused["customer_minutes_lost"]).groupby(caused["customer_id"]).sum()
    return np.log1p(impact).rename("grid_accident_impact")


def social_credit(rows: pd.DataFrame, as_of: pd.Timestamp, parameters) -> pd.Series:
    oldest = as_of - pd.DateOffset(months=parameters.social_rating_max_age_months)
    known = rows[(rows["valid_from"] >= oldest) & (rows["valid_from"] < as_of)].sort_values(
        ["valid_from", "recorded_at"]
    )
    known = known.drop_duplicates(["customer_id", "valid_from"], keep="last")
    is_last = ~known.duplicated("customer_id", keep="last")
    in_force = known[(known["valid_to"].isna() & is_last) | (known["valid_to"] >= as_of - DAY)]
    rating = in_force.drop_duplicates("customer_id", keep="last").set_index("customer_id")["rating"]
    return rating.map(parameters.social_rating_value.model_dump()).astype("float64").rename("social_credit_rating")


def satisfaction(rows: pd.DataFrame, rated: pd.DataFrame, as_of: pd.Timestamp, since: Since, parameters) -> pd.Series:
    """The slope of the customer's own answers, shrunk to the segment's, which stands in where there are too few."""
    name = "service_quality_sensitivity"
    rows = rows[(rows["surveyed_on"] >= since[name]) & (rows["surveyed_on"] < as_of)]
    rows = rows.assign(quality=rows["perception"] - rows["expectation"])
    answers = rows[["customer_id", "dimension", "surveyed_on", "quality", "satisfaction"]]
    pairs = answers.merge(answers, on=["customer_id", "dimension"], suffixes=("", "_later"))
    pairs = pairs[(pairs["surveyed_on_later"] > pairs["surveyed_on"]) & (pairs["quality_later"] != pairs["quality"])]
    change = pairs["satisfaction_later"] - pairs["satisfaction"]
    slopes = change / (pairs["quality_later"] - pairs["quality"])
    by_segment = slopes.groupby(pairs["customer_id"].map(rated["segment"])).median()
    own = slopes.groupby(pairs["customer_id"]).agg(["median", "size"])
    own = own[own["size"] >= parameters.min_survey_pairs].reindex(rated.index)
    segment, weight = rated["segment"].map(by_segment), parameters.survey_shrinkage_pairs
    shrunk = (own["size"] * own["median"] + weight * segment) / (own["size"] + weight)
    return shrunk.fillna(segment).rename(name)


def outage_sensitivity(
    tables: dict[str, pd.DataFrame], rated: pd.DataFrame, month: RatingMonth, since: Since, policy: Policy
) -> pd.Series:
    name, parameters = "outage_sensitivity", policy.index_parameters
    end, prior = pd.Timestamp(month.cutoff(policy.timezone)), parameters.outage_prior
    outages = tables["outages"][["feeder_id", "starts_at"]]
    outages = outages[outages["starts_at"] < end]
    outages["started_on"] = outages["starts_at"].dt.tz_convert(policy.timezone).dt.tz_localize(None).dt.normalize()
    connected = rated[["feeder_id"]].assign(since=rated["connected_on"].clip(lower=since[name])).dropna().reset_index()
    places = connected[["feeder_id", "since"]].drop_duplicates().merge(outages, on="feeder_id")
    seen = places[places["started_on"] >= places["since"]].groupby(["feeder_id", "since"]).size().rename("outages")
    contacts = tables["service_contacts"]
    contacts = contacts[(contacts["contact_type"] == "outage_report") & (contacts["contacted_at"] < end)]
    reports = contacts.merge(connected, on="customer_id").merge(outages, on="feeder_id")
    latest = reports["starts_at"] + pd.Timedelta(hours=parameters.outage_report_hours)
    reports = reports[
        (reports["started_on"] >= reports["since"])
        & (reports["starts_at"] <= reports["contacted_at"])
        & (reports["contacted_at"] <= latest)
    ]
    about = reports.groupby(["contact_id", "customer_id"])["starts_at"].max().reset_index()
    reported = about.groupby("customer_id")["starts_at"].nunique().reindex(connected["customer_id"]).fillna(0)
    counted = connected.join(seen, on=["feeder_id", "since"]).set_index("customer_id")["outages"]
    share = (reported + prior.reports) / (counted + prior.outages)
    return share.reindex(rated.index).fillna(prior.reports / prior.outages).rename(name)


def _integer(values: pd.Series, scale: int) -> pd.Series:
    return (values.astype("float64") * scale).round().fillna(0).astype("int64")
