"""Each query of sql/lake on tables worked out by hand.

A case is cases/<path of the query>/<case>.yaml: why (what it shows), month (the rating month; cohort instead where the
query labels one), basis (as_known_then unless it says so), policy (what differs from the default, or from the policy
that based_on names), tables and expected (see small_tables.py). What is expected of a number may be a sum to
do: 2/3, ln(101).
"""

import math
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from pipeline.actions.measures import decision_inputs
from pipeline.basis import Basis
from pipeline.customers import parameters as rating_parameters
from pipeline.customers.index_query import indices_query
from pipeline.engine import open_engine, queries
from pipeline.lake.known_records import families
from pipeline.month import RatingMonth
from pipeline.policy import Policy, merged
from pipeline.settings import PROJECT, Settings
from tests.support.small_tables import SCHEMAS, rows, table

CASES = sorted((Path(__file__).parent / "cases").rglob("*.yaml"))
# Queries of what the outbox holds are tested with the steps that ask them, and ranges with the indices.
ELSEWHERE = ("inputs", "outages", "outbox", "rebates")
ARITHMETIC = {"ln": math.log, "sqrt": math.sqrt}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_query_gives_what_was_worked_out_by_hand(engine, path, tmp_path):
    case = yaml.safe_load(path.read_text())
    based_on = yaml.safe_load((PROJECT / case["based_on"]).read_text()) if "based_on" in case else {}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(merged(based_on, case.get("policy", {}))))
    policy = Policy.load(tmp_path / "policy.yaml")
    for name in SCHEMAS:
        engine.bind_table(name, table(name, case["tables"].get(name, "")))
    engine.bind_table("families", families(policy))
    if "cohort" in case:
        parameters = rating_parameters.label_parameters(policy, RatingMonth.parse(case["cohort"]))
    else:
        basis = case.get("basis", Basis.AS_KNOWN_THEN)
        month = RatingMonth.parse(case["month"])
        parameters = rating_parameters.group_parameters(policy, month, basis)
        parameters |= decision_inputs.parameters(policy, month)
        for name, rows_of_policy in decision_inputs.policy_tables(policy, month).items():
            engine.bind_table(name, rows_of_policy)

    expected = sorted(rows(case["expected"]), key=lambda row: tuple(row.values()))
    text = f"select {', '.join(expected[0])} from {path.parent.name} order by all"
    found = engine.fetch(queries.compose(text), parameters).to_pylist()
    assert len(found) == len(expected), found
    for row, answer in zip(found, expected, strict=True):
        assert row == {name: _value(cell, row[name]) for name, cell in answer.items()}


def test_the_index_of_the_documentation_can_be_added(engine, tmp_path, monkeypatch):
    """docs/policy.md, Adding an index: the query, the policy entry and the case, as they stand there."""
    chapter = (PROJECT / "docs" / "policy.md").read_text().partition("## Adding an index")[2].partition("\n## ")[0]
    query, entry, case = re.findall(r"```(?:sql|yaml)\n(.*?)```", chapter, re.DOTALL)
    [(name, index)] = yaml.safe_load(entry)["indices"].items()
    assert name not in Policy.load().indices
    (tmp_path / "sql" / "lake" / "indices").mkdir(parents=True)
    (tmp_path / "sql" / "lake" / "indices" / f"{index['group']}.sql").write_text(query)
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    case = yaml.safe_load(case) | {"policy": yaml.safe_load(entry)}
    (tmp_path / index["group"]).mkdir()
    (tmp_path / index["group"] / "case.yaml").write_text(yaml.safe_dump(case))
    test_a_query_gives_what_was_worked_out_by_hand(engine, tmp_path / index["group"] / "case.yaml", tmp_path)
    policy = Policy.load(tmp_path / "policy.yaml")
    assert engine.fetch(indices_query(policy, [name]), rating_parameters.parameters(policy, RatingMonth(2026, 3)))[
        name
    ].to_pylist()


def test_every_query_has_cases_and_every_case_a_query():
    queried = {name for name, path in queries.files().items() if path.parent.name not in ELSEWHERE} - {"range_starts"}
    assert queried == {path.parent.name for path in CASES}


def _value(cell, found):
    """What a cell says, in the type of what was found."""
    if cell == "":
        return None
    if isinstance(found, float):
        return pytest.approx(eval(cell, ARITHMETIC), rel=1e-12, abs=1e-12)
    kinds = {bool: lambda text: text == "true", date: date.fromisoformat, Decimal: Decimal, int: int}
    return kinds.get(type(found), str)(cell)
