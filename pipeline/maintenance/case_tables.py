"""The small tables of test cases: CSV text in, Arrow out, in the types of the source contract and of the steps.

A # starts a comment. A column that the text leaves out has its usual value, or none.
"""

import csv
from datetime import date, timedelta

import pyarrow as pa

from pipeline.errors import ConfigError
from pipeline.lake.known_records import LAKE_BEGINS
from pipeline.models.cohorts import SHARES
from pipeline.source import contract
from pipeline.source.write import arrow_schema

COHORT = {
    "customer_id": pa.string(),
    "segment": pa.string(),
    "family": pa.string(),
    "bills": pa.int64(),
    "is_in_default": pa.bool_(),
}
MEMBERS = {
    "customer_id": pa.string(),
    "connected_on": pa.date32(),
    "is_closed": pa.bool_(),
    "consumption_trend": pa.float64(),
}
RATED = {
    "customer_id": pa.string(),
    "segment": pa.string(),
    "grade": pa.string(),
    "value_group": pa.string(),
    "outage_sensitivity": pa.float64(),
    "revenue": pa.float64(),
    "consumption_trend": pa.float64(),
}
IN_ARREARS = {
    "customer_id": pa.string(),
    "amount_overdue": pa.decimal128(18, 2),
    "overdue_since": pa.date32(),
    "days_past_due": pa.int64(),
}
MANAGERS = dict.fromkeys(("customer_id", "manager", "since", "customer_group"), pa.string())
RATED_OUTCOMES = {
    "model_version": pa.string(),
    "score": pa.float64(),
    "default_probability": pa.float64(),
    "is_default": pa.bool_(),
}
GRADE_BOUNDS = {"grade": pa.string(), "from_probability": pa.float64(), "below_probability": pa.float64()}
SLOPES = {"segment": pa.string(), "slope": pa.float64()}
ROLES = dict.fromkeys(("customer_id", "family", "outcome", "role", "place"), pa.string()) | {"is_default": pa.int32()}
SCHEMAS = {name: arrow_schema(name) for name in contract()}
SCHEMAS |= {"closed_customers": pa.schema({"customer_id": pa.string(), "closed_on": pa.date32()})}
SCHEMAS |= {"cohort": pa.schema(COHORT), "members": pa.schema(MEMBERS), "segment_slopes": pa.schema(SLOPES)}
SCHEMAS |= {"roles": pa.schema(ROLES), "shares": SHARES}
SCHEMAS |= {"lake_begins": LAKE_BEGINS}
SCHEMAS |= {"quarantined": pa.schema(dict.fromkeys(("table_name", "customer_id"), pa.string()))}
SCHEMAS |= {"rated_outcomes": pa.schema(RATED_OUTCOMES), "grade_bounds": pa.schema(GRADE_BOUNDS)}
SCHEMAS |= {"rated": pa.schema(RATED), "in_arrears": pa.schema(IN_ARREARS), "managers": pa.schema(MANAGERS)}
USUAL = {
    "customers": {"segment": "residential", "region": "north", "connected_on": "2015-01-01"},
    "bills": {"amount": "100", "is_estimated": "false"},
    "account_balances": {"recorded_at": "2015-01-01 00:00Z"},
    "arrears": {"amount_overdue": "100", "is_disputed": "false", "recorded_at": "2015-01-01 00:00Z"},
    "financial_statements": {
        "total_assets": "100",
        "total_liabilities": "50",
        "current_assets": "40",
        "current_liabilities": "20",
        "net_profit": "5",
        "average_net_assets": "50",
        "recorded_at": "2015-01-01 00:00Z",
    },
    "grid_accidents": {"is_customer_caused": "true"},
    "social_credit_ratings": {"recorded_at": "2015-01-01 00:00Z"},
    "satisfaction_surveys": {"dimension": "reliability", "expectation": "5"},
    "outages": {"feeder_id": "f", "is_planned": "false"},
    "service_contacts": {"contact_type": "outage_report"},
    "cohort": {"segment": "residential", "family": "residential", "bills": "6", "is_in_default": "false"},
    "rated": {"segment": "residential", "grade": "B", "value_group": "medium value"},
    "in_arrears": {"amount_overdue": "100", "overdue_since": "2026-01-31", "days_past_due": "60"},
    "managers": {"manager": "desk-1", "since": "2026-01", "customer_group": "high value"},
    "violations": {"violation_type": "theft"},
    "members": {"connected_on": "2015-01-01", "is_closed": "false"},
}


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text, as text. ConfigError where a row has more or fewer cells than the header."""
    lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
    names, *found = list(csv.reader(line for line in lines if line)) or [[]]
    for row in found:
        if len(row) != len(names):
            raise ConfigError(
                f"row {','.join(row)} has {len(row)} cells, and the header {','.join(names)} {len(names)}"
            )
    return [dict(zip(names, row, strict=True)) for row in found]


def table(name: str, text: str) -> pa.Table:
    """A table of SCHEMAS. ConfigError for a column that it does not have, or a value that is not of its type."""
    schema = SCHEMAS[name]
    written = rows(text)
    if written and (unknown := set(written[0]) - set(schema.names)):
        raise ConfigError(f"{name} has no column {min(unknown)}; it has {', '.join(schema.names)}")
    completed = [_complete(name, row, number) for number, row in enumerate(written, 1)]
    return pa.table([_column(name, field, completed) for field in schema], schema)


def _column(name: str, field: pa.Field, completed: list[dict[str, str]]) -> pa.Array:
    try:
        return pa.array([row.get(field.name) or None for row in completed], pa.string()).cast(field.type)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{name}.{field.name}: {' '.join(str(error).split())}") from None


def _complete(name: str, row: dict[str, str], number: int) -> dict[str, str]:
    """A row with its usual values.

    A bill is issued on the 5th of the month it is for, or else 20 days before it is due, and due 20 days later. It is
    recorded on that day, and a payment on its own.
    """
    row = USUAL.get(name, {}) | row
    if name == "bills":
        if "issued_on" not in row:
            row["issued_on"] = (
                row["billing_month"][:8] + "05" if "billing_month" in row else _day(row.get("due_on", ""), -20)
            )
        row = {"due_on": _day(row["issued_on"], 20), "billing_month": row["issued_on"][:8] + "01"} | row
    if day := {"bills": "issued_on", "payments": "paid_on"}.get(name):
        row = {"recorded_at": f"{row.get(day, '')} 12:00Z"} | row
    if name in contract() and contract()[name].key[0] != "customer_id":
        row = {contract()[name].key[0]: str(number)} | row
    return row


def _day(text: str, days: int) -> str:
    try:
        return str(date.fromisoformat(text) + timedelta(days))
    except ValueError:
        raise ConfigError(f"bills: {text!r} is no day, for example 2026-03-05") from None
