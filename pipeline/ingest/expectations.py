"""The expectations on the rows of a source table, derived from the source contract and the policy.

Great Expectations takes seconds to import and so is imported where rows are checked, not here.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlglot import exp

from pipeline.errors import DataQualityError
from pipeline.policy import Policy
from pipeline.source import Between, Check, Expression, FirstOfMonth, InSet, NotBefore, SourceTable
from pipeline.source.contract import COUNTED_ONLY

WRONG_TYPES, RAW = "_wrong_types", "_raw"
FIRST = "key_occurs_once"
IN_MONTH = "recorded_in_month"
POST_DATED = "payments_paid_before_recorded"
DUE_LATE, DUE_EARLY = "bills_due_soon_after_issued", "bills_due_soon_before_month"
_ONE_AT_A_TIME = Lock()  # Great Expectations keeps the context it works in for the whole process


@dataclass(frozen=True)
class Rule:
    """One expectation: ``kind`` is its class in Great Expectations, ``column`` the contract's column it is about."""

    name: str
    column: str | None
    kind: str
    arguments: dict[str, Any]
    severity: str = "fail"  # or "warn": counted, and no reason to refuse the row


@dataclass
class Suite:
    """The rules of a table and the columns they look at, each as a DuckDB expression over a row of the lake.

    The flags FIRST, IN_MONTH and those named as a reference are not in ``columns``: they look past the row, and
    sql/lake/validation/rows_to_judge.sql adds them.
    """

    table: SourceTable
    rules: list[Rule] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        content = {"rules": [asdict(rule) for rule in self.rules], "columns": self.columns}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def expect(self, name: str, about: str | None, kind: str, *, severity: str = "fail", **arguments: Any) -> None:
        self.rules.append(Rule(name, about, kind, arguments, severity))


def row_suite(table: SourceTable, policy: Policy) -> Suite:
    """Every expectation on a row of the table."""
    suite = Suite(table)
    suite.columns[WRONG_TYPES] = WRONG_TYPES
    suite.expect("values have the contract's types", None, "ExpectColumnValuesToBeNull", column=WRONG_TYPES)
    for column in table.columns:
        if column.is_required:
            # whether it is there is all that matters here, and a number is cheaper to hold and to hash than a text
            suite.columns[column.name] = f"case when {column.name} is not null then 1.0::double end"
            suite.expect(f"{column.name} is given", column.name, "ExpectColumnValuesToNotBeNull", column=column.name)
    _expect_flag(suite, f"{', '.join(table.key)} occurs once", table.key[0], FIRST)
    _expect_flag(suite, f"{table.recorded_column} is in the month", table.recorded_column, IN_MONTH)
    for check in table.checks:
        if check.name == POST_DATED:
            _expect_value_date(suite, policy)
        else:
            _expect_check(suite, check)
    if table.name == "bills":
        _expect_due_date(suite, policy)
    for reference in table.references:
        severity = "warn" if reference.name in COUNTED_ONLY else "fail"
        _expect_flag(suite, _words(table, reference.name), reference.column, reference.name, severity)
    is_balance_sheet = table.name == "financial_statements"
    max_money = policy.validation.max_balance if is_balance_sheet else policy.validation.max_amount
    limits = {"DECIMAL(18, 2)": max_money, "DECIMAL(18, 3)": policy.validation.max_energy}
    for column in table.columns:
        if limit := limits.get(column.sql_type):
            suite.expect(
                f"{column.name} is not absurd",
                column.name,
                "ExpectColumnValuesToBeBetween",
                column=_plain(suite, column.name),
                min_value=-limit,
                max_value=limit,
            )
    return suite


TIES = Rule(
    "adds up to the source's total",
    None,
    "ExpectColumnPairValuesToBeEqual",
    {"column_A": "lake", "column_B": "source", "ignore_row_if": "either_value_is_missing"},
)
"""On a frame with a row a total of a partition: what the lake and the source add up to, as text."""


def total_rules(table: SourceTable) -> dict[str, Rule]:
    """TIES in the words of each total of a partition: of its rows, and of its columns of money by their names."""
    rules = {"rows": replace(TIES, name="as many rows as the source")}
    return rules | {name: replace(TIES, name=f"{name} {TIES.name}", column=name) for name in table.money_columns}


def suspicious(rules: Iterable[Rule]) -> str:
    """A condition in DuckDB's SQL that is true of the rows of a frame which fail a rule; never true of all others.

    It picks out what Great Expectations has to look at. ValueError for a kind of rule that it does not know.
    """
    return exp.or_(*map(_fails, rules)).sql("duckdb")


def _fails(rule: Rule) -> exp.Expr:
    given = rule.arguments
    named = {name: exp.column(given[name], quoted=True) for name in ("column", "column_A", "column_B") if name in given}
    match rule.kind:
        case "ExpectColumnValuesToBeNull":
            return named["column"].is_(exp.null()).not_()
        case "ExpectColumnValuesToNotBeNull":
            return named["column"].is_(exp.null())
        case "ExpectColumnValuesToBeInSet":
            return named["column"].isin(*given["value_set"]).not_()
        case "ExpectColumnPairValuesAToBeGreaterThanB":
            return (
                named["column_A"] < named["column_B"] if given["or_equal"] else named["column_A"] <= named["column_B"]
            )
        case "ExpectColumnValuesToBeBetween":
            low, high = given.get("min_value"), given.get("max_value")
            outside = (
                [named["column"] <= low if given.get("strict_min") else named["column"] < low]
                if low is not None
                else []
            )
            outside += [named["column"] > high] if high is not None else []
            return exp.or_(*outside)
    raise ValueError(f"no condition for {rule.kind}")


@dataclass(frozen=True)
class Failure:
    """Positions in the frame of the rows that fail a rule, in order."""

    rule: Rule
    positions: np.ndarray

    def values(self, frame: pd.DataFrame, positions: np.ndarray) -> list[str]:
        """What the rule found wrong at these positions, in words; nothing where only its absence could be shown."""
        given = self.rule.arguments
        if self.rule.kind == "ExpectColumnValuesToNotBeNull" or given.get("value_set") == [True]:
            return []
        columns = [given[name] for name in ("column", "column_A", "column_B") if name in given]
        rows = frame[columns].iloc[positions].itertuples(index=False, name=None)
        return [", ".join(map(_as_text, row)) for row in rows]


def rules_by_row(failures: Sequence[Failure], rules: Sequence[Rule]) -> tuple[np.ndarray, pa.Array]:
    """The positions of the rows that fail, in order, and for each a list of the numbers of the rules it fails."""
    numbers = {rule.name: number for number, rule in enumerate(rules)}
    positions = np.concatenate([np.empty(0, np.int64), *(failure.positions for failure in failures)])
    failed = np.repeat(
        np.array([numbers[failure.rule.name] for failure in failures], np.int16),
        [len(failure.positions) for failure in failures],
    )
    order = np.lexsort((failed, positions))
    rows, starts = np.unique(positions[order], return_index=True)
    ends = np.append(starts, len(positions)).astype(np.int32)
    return rows, pa.ListArray.from_arrays(pa.array(ends), pa.array(failed[order]))


class Checker:
    """Great Expectations, checking one frame after another against the same rules. A lock serializes the threads."""

    def __init__(self, name: str, rules: Sequence[Rule]):
        self._name, self._rules = name, rules
        with _ONE_AT_A_TIME:
            gx = great_expectations()
            context = gx.get_context(mode="ephemeral", project_config=in_memory())
            context.variables.progress_bars = {"globally": False}
            asset = context.data_sources.add_pandas("lake").add_dataframe_asset(name)
            self._batches = asset.add_batch_definition_whole_dataframe("frame")
            self._suite = gx.ExpectationSuite(name=name, expectations=[as_expectation(rule) for rule in rules])

    def failures(self, frame: pd.DataFrame) -> Iterator[Failure]:
        """Yield the failures of each rule. A value of a wrong type fails for its type alone, not as missing too."""
        with _ONE_AT_A_TIME:
            batch = self._batches.get_batch({"dataframe": frame})
            validated = batch.validate(self._suite, result_format={"result_format": "COMPLETE"})
        results = {result.expectation_config.meta["rule"]: result for result in validated.results}  # in no given order
        unreadable: dict[str, np.ndarray] = {}
        for rule in self._rules:
            result = results[rule.name]
            if result.exception_info.get("raised_exception"):
                message = result.exception_info.get("exception_message")
                raise DataQualityError(f"{self._name}: {rule.name!r} cannot be checked: {message}")
            if result.success:
                continue
            positions = np.sort(np.asarray(result.result["unexpected_index_list"], dtype=np.int64))
            if rule.arguments.get("column") == WRONG_TYPES:
                unreadable = _unreadable(frame[WRONG_TYPES].to_numpy()[positions], positions)
            elif rule.kind == "ExpectColumnValuesToNotBeNull":
                hidden = unreadable.get(rule.column or "")
                positions = positions if hidden is None else np.setdiff1d(positions, hidden)
            if len(positions):
                yield Failure(rule, positions)


@dataclass(frozen=True)
class Total:
    """What a partition adds up to in the lake and in the source; None where that cannot be said."""

    table: str
    part: int
    rule: str
    lake: str
    source: str | None


def differing(totals: Iterable[Total]) -> set[Total]:
    """The totals that do not tie to the source, as Great Expectations finds."""
    frame = pd.DataFrame(listed := list(totals))
    if frame.empty:
        return set()
    return {listed[position] for failure in Checker("totals", [TIES]).failures(frame) for position in failure.positions}


def _as_text(value: Any) -> str:
    """A value of a frame as people write it: an instant at midnight is a date."""
    if isinstance(value, np.datetime64 | pd.Timestamp):
        return str(pd.Timestamp(value)).removesuffix(" 00:00:00")
    return str(value)


def _unreadable(names: np.ndarray, positions: np.ndarray) -> dict[str, np.ndarray]:
    """The positions at which each column holds what cannot be read; ``names`` are those columns, comma-separated."""
    found: dict[str, list[np.ndarray]] = {}
    codes, combinations = pd.factorize(names)
    for code, combination in enumerate(combinations):
        for name in combination.split(","):
            found.setdefault(name, []).append(positions[codes == code])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def as_expectation(rule: Rule):
    """A rule as an expectation of Great Expectations, which has the rule's name as its description."""
    great_expectations()
    from great_expectations import expectations

    return getattr(expectations, rule.kind)(**rule.arguments, description=rule.name, meta={"rule": rule.name})


def great_expectations():
    """The library, without its telemetry."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _not_for("pyspark"):
        import great_expectations

    return great_expectations


@contextmanager
def _not_for(library: str) -> Iterator[None]:
    """Who asks for a library that is not loaded finds none: Great Expectations would load it wherever it is there."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[library]


def in_memory():
    """A configuration of Great Expectations that keeps nothing, not even in /tmp."""
    great_expectations()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    defaults = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    return DataContextConfig(store_backend_defaults=defaults, analytics_enabled=False)


def _expect_check(suite: Suite, check: Check) -> None:
    name = _words(suite.table, check.name)
    match check:
        case InSet():
            column = _plain(suite, check.column)
            suite.expect(name, check.column, "ExpectColumnValuesToBeInSet", column=column, value_set=list(check.values))
        case Between():
            limits = {"min_value": check.low, "max_value": check.high}
            bounds: dict[str, Any] = {bound: float(value) for bound, value in limits.items() if value is not None}
            if check.strict_low:
                bounds["strict_min"] = True
            column = _plain(suite, check.column)
            suite.expect(name, check.column, "ExpectColumnValuesToBeBetween", column=column, **bounds)
        case NotBefore():
            types = {column.name: column.sql_type for column in suite.table.columns}
            as_dates = "DATE" in (types[check.later], types[check.earlier])
            as_frame = _date if as_dates else _plain
            suite.expect(
                name,
                check.later,
                "ExpectColumnPairValuesAToBeGreaterThanB",
                column_A=as_frame(suite, check.later),
                column_B=as_frame(suite, check.earlier),
                or_equal=True,
                ignore_row_if="either_value_is_missing",
            )
        case FirstOfMonth():
            day = f"day of {check.column}"
            suite.columns[day] = f"cast(extract(day from {check.column}) as double)"
            suite.expect(name, check.column, "ExpectColumnValuesToBeInSet", column=day, value_set=[1])
        case Expression():
            suite.columns[check.name] = f"coalesce({check.sql}, true)"
            _expect_flag(suite, name, None, check.name)


def _expect_value_date(suite: Suite, policy: Policy) -> None:
    """A payment may be recorded some days before its value date: a post-dated cheque."""
    days = policy.validation.post_dated_payment_days
    suite.columns[POST_DATED] = f"coalesce(paid_on <= cast(recorded_at as date) + {days}, true)"
    _expect_flag(suite, f"paid at most {days} days after recorded", "paid_on", POST_DATED)


def _expect_due_date(suite: Suite, policy: Policy) -> None:
    """A bill that is due years after it was issued would never be late; years before its month, late from the start."""
    days = policy.validation.max_days_to_due
    suite.columns[DUE_LATE] = f"coalesce(due_on <= issued_on + {days}, true)"
    suite.columns[DUE_EARLY] = f"coalesce(due_on >= billing_month - {days}, true)"
    _expect_flag(suite, f"due at most {days} days after issued", "due_on", DUE_LATE)
    _expect_flag(suite, f"due at most {days} days before its month", "due_on", DUE_EARLY)


def _expect_flag(suite: Suite, name: str, column: str | None, flag: str, severity: str = "fail") -> None:
    suite.expect(name, column, "ExpectColumnValuesToBeInSet", severity=severity, column=flag, value_set=[True])


def _plain(suite: Suite, name: str) -> str:
    """The column in a type that pandas keeps as plain arrays, nulls included: numbers as doubles, dates as instants."""
    kind = next(column.sql_type for column in suite.table.columns if column.name == name)
    as_instant = {"DATE": f"cast({name} as timestamp)", "TIMESTAMPTZ": f"({name} at time zone 'UTC')"}
    suite.columns[name] = name if kind == "VARCHAR" else as_instant.get(kind, f"cast({name} as double)")
    return name


def _date(suite: Suite, name: str) -> str:
    """The column as a date of the utility's calendar, which is the session's time zone."""
    kind = next(column.sql_type for column in suite.table.columns if column.name == name)
    if kind == "DATE":
        return _plain(suite, name)
    suite.columns[f"{name} as a date"] = f"cast(cast({name} as date) as timestamp)"
    return f"{name} as a date"


def _words(table: SourceTable, constraint: str) -> str:
    """``bills_due_after_issued`` as words: the contract's own names are what people read."""
    return constraint.removeprefix(f"{table.name}_").replace("_", " ")
