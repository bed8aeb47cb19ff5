"""Test cases of the queries under sql/lake: small tables, and the rows that must come out, worked out by hand.

A case is <path of the query>/<case>.yaml with the keys

- ``why``: what it shows;
- ``month``: the rating month; or ``cohort``, where the query labels a cohort; ``basis``, as_known_then by default;
- ``policy``: what differs from the policy; ``based_on``: the policy it starts from, a file of the same project;
- ``tables``: CSV by table, see ``case_tables``;
- ``expected``: CSV. A number that is no exact decimal may be a sum to do, see ``arithmetic``.
"""

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import yaml

from pipeline import resources
from pipeline.actions.measures import decision_inputs
from pipeline.basis import Basis
from pipeline.customers import parameters as rating_parameters
from pipeline.customers.index_values import with_empty_windows
from pipeline.engine import Engine, queries
from pipeline.errors import ConfigError, GridgradeError
from pipeline.lake.known_records import families
from pipeline.maintenance.arithmetic import evaluate
from pipeline.maintenance.case_tables import SCHEMAS, rows, table
from pipeline.month import RatingMonth
from pipeline.policy import Policy

OURS = resources.ROOT / "tests" / "sql" / "cases"
_KEYS = {"why", "month", "cohort", "basis", "policy", "based_on", "tables", "expected"}
_TOLERANCE = 1e-12


class Outcome(NamedTuple):
    """What came of a case; ``fault`` in one line, None where the query gives what is expected."""

    case: str
    fault: str | None


class _WrongAnswer(GridgradeError):
    """The query does not give the expected rows."""


def run_cases(engine: Engine, folder: Path, policy: Path | None = None) -> Iterator[Outcome]:
    """Run every case of a folder, by path. ``policy``: the file that cases start from which name none."""
    for path in sorted(folder.rglob("*.yaml")):
        yield Outcome(path.relative_to(folder).with_suffix("").as_posix(), fault(engine, path, policy))


def fault(engine: Engine, path: Path, policy: Path | None = None) -> str | None:
    """Why the case of this file fails, in one line: what is wrong with the case, or what was expected and what came."""
    try:
        _run(engine, path, policy)
    except (GridgradeError, OSError) as error:
        return " ".join(str(error).split())
    return None


def _run(engine: Engine, path: Path, policy_file: Path | None) -> None:
    case, name = _read(path), path.parent.name
    if name not in queries.files():
        raise ConfigError(f"there is no query {name}.sql under sql/lake: name the case's folder like the query")
    policy = Policy.load(_base(path, case) or policy_file, over=case.get("policy") or {})
    parameters, tables = _inputs(case, policy)
    for table_name, small in tables.items():
        engine.bind_table(table_name, small)
    expected = rows(case["expected"])
    if not expected:
        raise ConfigError("expected has no row: a case needs one, so that it can fail")
    columns = list(expected[0])
    given = queries.columns(name)
    if "*" not in given and (unknown := [column for column in columns if column not in given]):
        raise _WrongAnswer(f"expected a column {unknown[0]}, got {', '.join(given)}")
    query = queries.compose(f"select {', '.join(columns)} from {name}")
    if unknown := sorted(query.tables - set(tables)):
        raise ConfigError(f"{name} reads {unknown[0]}, which is neither a source table nor one that a step binds")
    parameters = with_empty_windows(parameters, query)
    if unknown := sorted(query.parameters - set(parameters)):
        raise ConfigError(f"{name} asks for the parameter :{unknown[0]}, which neither policy nor month give")
    try:
        found = engine.fetch(query, parameters)
    except engine.fault as error:
        raise _WrongAnswer(f"{name} cannot be run: {error}") from None
    _compare([_typed(row, found.schema) for row in expected], found.to_pylist())


def _read(path: Path) -> dict[str, Any]:
    try:
        case = resources.read_yaml(path)
    except yaml.YAMLError as error:
        raise ConfigError(f"the case is not YAML: {error}") from None
    if not isinstance(case, dict):
        raise ConfigError("the case must be a mapping with the keys month, tables and expected")
    if unknown := sorted(set(case) - _KEYS):
        raise ConfigError(f"the case has a key {unknown[0]}; known are {', '.join(sorted(_KEYS))}")
    if absent := [key for key in ("tables", "expected") if key not in case]:
        raise ConfigError(f"the case lacks {absent[0]}")
    if ("month" in case) == ("cohort" in case):
        raise ConfigError("the case needs either month or cohort")
    if unknown := sorted(set(case["tables"] or {}) - set(SCHEMAS)):
        raise ConfigError(f"there is no table {unknown[0]}; known are {', '.join(sorted(SCHEMAS))}")
    return case


def _base(path: Path, case: dict[str, Any]) -> Path | None:
    """The policy that the case names, in the folder above its own that has such a file."""
    if "based_on" not in case:
        return None
    for folder in path.parents:
        if (folder / case["based_on"]).is_file():
            return folder / case["based_on"]
    raise ConfigError(f"based_on: there is no {case['based_on']} in a folder above the case")


def _inputs(case: dict[str, Any], policy: Policy) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The parameters and the tables that the query may name."""
    written = case["tables"] or {}
    tables = {name: table(name, written.get(name, "")) for name in SCHEMAS} | {"families": families(policy)}
    if "cohort" in case:
        return rating_parameters.label_parameters(policy, RatingMonth.parse(str(case["cohort"]))), tables
    month = RatingMonth.parse(str(case["month"]))
    basis = Basis.parse(case.get("basis", Basis.AS_KNOWN_THEN))
    parameters = rating_parameters.group_parameters(policy, month, basis) | decision_inputs.parameters(policy, month)
    return parameters, tables | decision_inputs.policy_tables(policy, month)


def _typed(row: dict[str, str], schema: pa.Schema) -> dict[str, Any]:
    return {name: _value(name, cell, schema.field(name).type) for name, cell in row.items()}


def _value(column: str, cell: str, kind: pa.DataType) -> Any:
    """A cell in the type that the query gives; an empty one is null."""
    if cell == "":
        return None
    readers: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]], ...] = (
        (pa.types.is_floating, evaluate),
        (pa.types.is_boolean, {"true": True, "false": False}.__getitem__),
        (pa.types.is_integer, int),
        (pa.types.is_decimal, Decimal),
        (pa.types.is_date, date.fromisoformat),
        (pa.types.is_timestamp, datetime.fromisoformat),
    )
    try:
        return next((read for is_kind, read in readers if is_kind(kind)), str)(cell)
    except (InvalidOperation, KeyError, ValueError):
        raise _WrongAnswer(f"{column}: expected {cell}, and the query gives a {kind}") from None


def _compare(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    """_WrongAnswer where the rows differ; their order does not matter."""
    expected, found = sorted(expected, key=_order), sorted(found, key=_order)
    if len(expected) != len(found):
        longer, shorter = (expected, found) if len(expected) > len(found) else (found, expected)
        first = next((row for row in longer if not any(_same(row, other) for other in shorter)), longer[-1])
        what = "is missing" if longer is expected else "is too many"
        values = ", ".join(map(_text, first.values()))
        raise _WrongAnswer(f"expected {len(expected)} rows, got {len(found)}: the row {values} {what}")
    for number, (should, does) in enumerate(zip(expected, found, strict=True), 1):
        for column, value in should.items():
            if not _equal(value, does[column]):
                got = f"expected {_text(value)}, got {_text(does[column])}"
                raise _WrongAnswer(f"row {number} ({_text(next(iter(should.values())))}), {column}: {got}")


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(_equal(value, other[column]) for column, value in one.items())


def _order(row: dict[str, Any]) -> tuple[tuple[bool, Any], ...]:
    return tuple((value is not None, value) for value in row.values())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return one == other and type(one) is type(other)


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
