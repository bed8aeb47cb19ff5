"""Each query of sql/derived, indices and labels on tables small enough to work its answer out by hand.

A case is cases/<query>/<case>.yaml: why (what it shows), month (the rating month; cohort instead where the query labels
one), policy (what differs from the default), tables and expected (CSV; # starts a remark). A column that a table leaves
out has its usual value, see USUAL, or none. What is expected of a number may be a sum to do: 2/3, ln(101).
"""

import csv
import math
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pipeline import measure, queries
from pipeline.engine import open_engine
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import SQL, Settings
from pipeline.source import contract
from pipeline.source.write import arrow_schema

CASES = sorted((Path(__file__).parent / "cases").glob("*/*.yaml"))
SCHEMAS = {name: arrow_schema(name) for name in contract()} | {
    "cohort": pa.schema(
        {"customer_id": pa.string(), "segment": pa.string(), "bills": pa.int64(), "is_in_default": pa.bool_()}
    )
}
USUAL = {
    "customers": {"segment": "residential", "region": "north", "connected_on": "2015-01-01"},
    "bills": {"amount": "100", "is_estimated": "false"},
    "arrears": {"amount_overdue": "100", "is_disputed": "false", "recorded_at": "2015-01-01 00:00Z"},
    "cohort": {"segment": "residential", "bills": "6", "is_in_default": "false"},
}
ARITHMETIC = {"ln": math.log, "sqrt": math.sqrt}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_query_gives_what_was_worked_out_by_hand(engine, path, tmp_path):
    case = yaml.safe_load(path.read_text())
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(case.get("policy", {})))
    policy = Policy.load(tmp_path / "policy.yaml")
    for name, schema in SCHEMAS.items():
        engine.bind_table(name, _table(name, schema, _rows(case["tables"].get(name, ""))))
    engine.bind_table("families", measure.families(policy))
    if "cohort" in case:
        parameters = measure.label_parameters(policy, RatingMonth.parse(case["cohort"]))
    else:
        parameters = measure.parameters(policy, RatingMonth.parse(case["month"]))
    expected = _rows(case["expected"])
    columns = list(expected[0]) if expected else ["customer_id"]
    text = f"select {', '.join(columns)} from {path.parent.name} order by all"
    found = engine.fetch(queries.compose(text), parameters).to_pylist()
    assert len(found) == len(expected), found
    for row, answer in zip(found, sorted(expected, key=lambda row: list(row.values())), strict=True):
        assert row == {name: _value(answer[name], row[name]) for name in columns}


def test_every_query_has_cases():
    rated = {path.stem for folder in ("derived", "indices", "labels") for path in (SQL / folder).glob("*.sql")}
    assert rated == {path.parent.name for path in CASES}


def _rows(text):
    return list(csv.DictReader(line.split("#")[0].rstrip() for line in text.splitlines()))


def _table(name, schema, rows):
    rows = [_complete(name, row, number) for number, row in enumerate(rows, 1)]
    columns = [pa.array([row.get(field.name) or None for row in rows], pa.string()) for field in schema]
    return pa.table([column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _complete(name, row, number):
    """A bill is for the month it is issued in, or issued on the 5th of the month it is for, and due on the 25th."""
    row = USUAL.get(name, {}) | row
    if name == "bills":
        row.setdefault("bill_id", str(number))
        row.setdefault("issued_on", str(date.fromisoformat(row.get("billing_month", row.get("due_on"))).replace(day=5)))
        issued = date.fromisoformat(row["issued_on"])
        row.setdefault("billing_month", str(issued.replace(day=1)))
        row.setdefault("due_on", str(issued + timedelta(days=20)))
    if name == "payments":
        row.setdefault("payment_id", str(number))
    return row


def _value(cell, found):
    if cell == "":
        return None
    if isinstance(found, float):
        return pytest.approx(eval(cell, ARITHMETIC), rel=1e-12, abs=1e-12)
    kinds = {bool: lambda text: text == "true", date: date.fromisoformat, Decimal: Decimal, int: int}
    return kinds.get(type(found), str)(cell)
