"""Measure customers by the queries under sql/, on the facts of the lake that a month may know.

The steps that need indices or labels (the month's own, or those of the cohorts a model learns from) all ask here, so
that a customer is measured in one way only.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.customers.index_query import indices_query
from pipeline.engine import Engine, Range, queries
from pipeline.errors import ConfigError, LakeError
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.grades import NewCustomer, Probation, Veto
from pipeline.source import SourceTable, contract

AS_KNOWN_THEN = "as_known_then"
AS_KNOWN_NOW = "as_known_now"
BASES = (AS_KNOWN_THEN, AS_KNOWN_NOW)
CUSTOMERS_AT_ONCE = 125_000
_BILLING = ("bills", "payments")
_WINDOWS = (1, 3, 6, 12, 15, 24, 36, 48)


class Measured(NamedTuple):
    files: list[Path]
    rows: int
    input_sha256: str


class _Held(NamedTuple):
    """A partition of facts: its file with that of the rows to leave out, and a hash of both."""

    files: tuple[str, str | None]
    sha256: str


class Inputs(dict[str, dict[RatingMonth, _Held]]):
    """By source table and month, the partitions that a rating reads."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.hashes()).encode()).hexdigest()

    def hashes(self) -> dict[str, dict[str, str]]:
        """The same as JSON: of each partition the hashes of its facts and of the rows to leave out of them."""
        return {table: {str(month): part.sha256 for month, part in months.items()} for table, months in self.items()}


def inputs(
    lake: Lake,
    policy: Policy,
    month: RatingMonth,
    *,
    known_in: RatingMonth | None = None,
    customers_of: RatingMonth | None = None,
) -> Inputs:
    """What ``known_in`` (default: the month itself) knew of the time before the cut-off; see ``bind``."""
    known_in = known_in or month
    customers_of = customers_of or known_in
    found = Inputs()
    for table in contract().values():
        months = _months(table, lake, policy, month, customers_of if table.snapshot else known_in)
        found[table.name] = {recorded: _held(lake, table.name, recorded) for recorded in months}
    return found


def bind(
    engine: Engine,
    lake: Lake,
    policy: Policy,
    month: RatingMonth,
    *,
    known_in: RatingMonth | None = None,
    customers_of: RatingMonth | None = None,
    only: str | None = None,
    within: Range | None = None,
) -> str:
    """Bind every source table to what ``known_in`` (default: the month itself) knew of the time before the cut-off.

    ``customers_of``: the snapshot of customers to take, where it is not that of ``known_in``. ``only``: the name of a
    bound view of customer_id, to measure just these. ``within``: only customers of this range. Returns the sha256 of
    the partitions that are bound.
    """
    parts = inputs(lake, policy, month, known_in=known_in, customers_of=customers_of)
    for table in contract().values():
        columns = {column.name: column.sql_type for column in table.columns}
        by_customer = "customer_id" in columns
        engine.bind_facts(
            table.name,
            columns,
            [part.files for part in parts[table.name].values()],
            only=only if by_customer else None,
            within=within if by_customer else None,
        )
    engine.bind_table("families", families(policy))
    return parts.sha256


def families(policy: Policy) -> pa.Table:
    """One row per segment: segment, family, and the days past due at which that family is in default."""
    rows = [(s, f, policy.label.days_past_due[f]) for f, segments in policy.families.items() for s in segments]
    return pa.table(dict(zip(("segment", "family", "days_past_due"), zip(*rows, strict=True), strict=True)))


def ranges(engine: Engine, lake: Lake, snapshot: RatingMonth) -> list[Range]:
    """The customers of a snapshot in ranges of CUSTOMERS_AT_ONCE or fewer, together all customers there may be.

    No query looks from one customer at another but satisfaction_slope_by_segment, which is asked before, and the lake
    keeps its rows by customer. So a month is measured range after range, each in memory, and reads no more than it
    would at once.
    """
    engine.bind_files("snapshot", lake.files("customers", snapshot_month=snapshot))
    starts = engine.fetch(
        queries.compose("""
            select customer_id
            from (
                select
                    customer_id,
                    row_number() over (order by customer_id) as place
                from snapshot
                where customer_id is not null
            ) as placed
            where place > 1 and (place - 1) % :customers = 0
            order by customer_id
        """),
        {"customers": CUSTOMERS_AT_ONCE},
    )["customer_id"].to_pylist()
    return list(zip([None, *starts], [*starts, None], strict=True))


def known_in(lake: Lake, month: RatingMonth, basis: str) -> RatingMonth:
    """The last recorded month that a rating of ``month`` on this basis may read."""
    if basis == AS_KNOWN_THEN:
        return month
    if basis == AS_KNOWN_NOW:
        return max([month, *lake.facts("bills")])
    raise ConfigError(f"{basis!r} is not a basis: choose {' or '.join(BASES)}")


def known_before(policy: Policy, month: RatingMonth, basis: str) -> datetime | None:
    """The instant before which a rating on this basis must have known of something; None: it may know of all."""
    return month.cutoff(policy.timezone) if basis == AS_KNOWN_THEN else None


def parameters(policy: Policy, month: RatingMonth) -> dict[str, Any]:
    """What the queries bind by name for a cut-off at the end of ``month``."""
    label, index = policy.label, policy.index_parameters
    windows = {name: definition.window_months for name, definition in policy.indices.items()}
    return {
        "as_of": _cutoff_day(month),
        "as_of_at": month.cutoff(policy.timezone),
        "timezone": policy.timezone,
        "history_start": _cutoff_day(month - index.bill_history_months),
        **{f"months_ago_{months}": _cutoff_day(month - months) for months in _WINDOWS},
        **{f"since_{name}": _cutoff_day(month - months) for name, months in windows.items()},
        **{f"year_after_since_{name}": _cutoff_day(month - months + 12) for name, months in windows.items()},
        "statements_since": _cutoff_day(month - index.statement_validity_months),
        "social_ratings_since": _cutoff_day(month - index.social_rating_max_age_months),
        **_flat(index.model_dump()),
        **{f"family_{position}": family for position, family in enumerate(policy.families)},
        "default_memory_start": _cutoff_day(month - label.default_memory_months),
        "min_bills": label.min_bills,
        "good_max_days_past_due": label.good_max_days_past_due,
        "materiality_floor": label.materiality_floor,
        "materiality_share": label.materiality_share,
        **{
            f"band_{name}_{position}": bound
            for name, definition in policy.indices.items()
            for position, bound in enumerate(definition.bands)
        },
        **{f"fill_{name}": d.missing for name, d in policy.indices.items() if isinstance(d.missing, float)},
        **_rule_parameters(policy, month),
    }


def _rule_parameters(policy: Policy, month: RatingMonth) -> dict[str, Any]:
    """The memory of each grade rule as the day it begins; of a rule the policy does not have, the cut-off."""
    rules = policy.grade_rules

    def since(rule: NewCustomer | Probation | Veto | None) -> date:
        return _cutoff_day(month - (rule.months if rule else 0))

    months = policy.label.default_memory_months + (rules.probation.months if rules.probation else 0)
    return {
        "new_customer_since": since(rules.new_customer),
        "unpaid_above": rules.unpaid_balance.above if rules.unpaid_balance else 0,
        "probation_since": since(rules.probation),
        "probation_memory_start": _cutoff_day(month - months),
        **{f"{name}_since": since(veto) for name, veto in rules.vetoes},
        "long_arrears_days": rules.long_arrears_days,
    }


def _flat(section: dict, prefix: str = "") -> dict[str, Any]:
    """The values of a section of the policy by name, those of a part of it by <part>_<name>."""
    flat = {}
    for name, value in section.items():
        flat |= _flat(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def label_parameters(policy: Policy, cohort: RatingMonth) -> dict[str, Any]:
    """What the label query binds: ``parameters`` of the end of the cohort's window, and the cohort's own dates."""
    return parameters(policy, cohort + policy.label.horizon_months) | {
        "cohort_as_of": _cutoff_day(cohort),
        "cohort_months_ago_12": _cutoff_day(cohort - 12),
    }


def group_parameters(policy: Policy, month: RatingMonth, basis: str = AS_KNOWN_THEN) -> dict[str, Any]:
    """What the queries of sql/lake/groups bind: ``parameters`` of the month, and instants and bounds of their own.

    As known now, when a closing was recorded says nothing about the month it belongs to."""
    begins = (month - 1).cutoff(policy.timezone)
    return parameters(policy, month) | {
        "as_of_instant": month.cutoff(policy.timezone),
        "year_start_instant": (month - 12).cutoff(policy.timezone),
        "closings_recorded_from": begins if basis == AS_KNOWN_THEN else None,
        "new_since": _cutoff_day(month - policy.life_cycle.new_months),
        "growth": policy.life_cycle.growth,
        "decline": policy.life_cycle.decline,
    }


def write_indices(
    engine: Engine,
    lake: Lake,
    policy: Policy,
    month: RatingMonth,
    folder: Path,
    *,
    known_in: RatingMonth | None = None,
    customers_of: RatingMonth | None = None,
    only: str | None = None,
    names: Iterable[str] | None = None,
    with_grade_facts: bool = False,
) -> Measured:
    """One row per rated customer, by customer_id, in numbered files: segment, family, region, bills, is_in_default,
    is_thin_file and, for each index of ``names`` (default: all of the policy), its value, whether it was missing
    (``_missing``; the value is then what the policy puts in its place, or null for the median that only a model knows)
    and its band. An index of other families than the customer's, or one whose tables the lake lacks, is missing and
    null. ``with_grade_facts``: also the columns of sql/lake/grading/rule_facts.sql. For the rest see ``bind``."""
    absent = absent_tables(lake, policy, month, known_in or month)
    query = indices_query(
        policy, policy.indices if names is None else names, absent, rule_facts() if with_grade_facts else ()
    )
    bound = _with_empty_windows(parameters(policy, month), query)
    facts = {"known_in": known_in, "customers_of": customers_of, "only": only}
    if "segment_slopes" in query.tables:
        bind(engine, lake, policy, month, **facts)
        slopes = engine.fetch(queries.compose("select * from satisfaction_slope_by_segment"), bound)
        engine.bind_table("segment_slopes", slopes)
    snapshot = customers_of or known_in or month
    files, rows, sha256 = [], 0, ""
    for number, within in enumerate(ranges(engine, lake, snapshot) if only is None else [(None, None)]):
        sha256 = bind(engine, lake, policy, month, **facts, within=within)
        files.append(folder / f"part-{number:04d}.parquet")
        rows += engine.write(query, bound, files[-1])
    return Measured(files, rows, sha256)


def write_outcomes(
    engine: Engine,
    lake: Lake,
    policy: Policy,
    cohort: RatingMonth,
    folder: Path,
    *,
    known_in: RatingMonth,
    only: str | None = None,
) -> Measured:
    """What became of every customer of a cohort within the policy's horizon, as known in a later month: the columns of
    sql/lake/labels/default_label.sql by customer_id, in numbered files. Who was a customer, of which segment and in
    default or not, is as known at the cohort's own cut-off. ``only``: see ``bind``."""
    labelled = queries.compose("select * from default_label order by customer_id")
    files, rows, sha256 = [], 0, ""
    for number, within in enumerate(ranges(engine, lake, known_in) if only is None else [(None, None)]):
        some = {"customers_of": known_in, "only": only, "within": within}
        members = folder / f"members-{number:04d}.parquet"
        then = bind(engine, lake, policy, cohort, **some)
        engine.write(_members_query(), parameters(policy, cohort), members)
        engine.bind_files("cohort", [str(members)])
        outcome = cohort + policy.label.horizon_months
        later = bind(engine, lake, policy, outcome, known_in=known_in, **some)
        files.append(folder / f"outcomes-{number:04d}.parquet")
        rows += engine.write(labelled, label_parameters(policy, cohort), files[-1])
        sha256 = f"{then} {later}"
    return Measured(files, rows, hashlib.sha256(sha256.encode()).hexdigest())


def absent_tables(lake: Lake, policy: Policy, month: RatingMonth, known: RatingMonth) -> frozenset[str]:
    """The optional source tables of which nothing had been extracted that ``known`` knew: the source has no such table,
    or had none then."""
    tables = (table for table in contract().values() if not table.is_required)
    return frozenset(table.name for table in tables if not _months(table, lake, policy, month, known))


def _with_empty_windows(bound: dict[str, Any], query: queries.Query) -> dict[str, Any]:
    """The queries compute a whole group; of an index that the policy took away they see no fact."""
    windows = (name for name in query.parameters if name.startswith(("since_", "year_after_since_")))
    return {name: bound["as_of"] for name in windows} | bound


def _members_query() -> queries.Query:
    """A cohort as default_label.sql reads it."""
    return queries.compose("""
    select
        p.customer_id,
        p.segment,
        f.family,
        coalesce(b.bills, 0) as bills,
        d.customer_id is not null as is_in_default
    from population as p
    left join families as f on f.segment = p.segment
    left join default_status as d on d.customer_id = p.customer_id
    left join (select customer_id, count(*) as bills from live_bills group by customer_id) as b
        on b.customer_id = p.customer_id
""")


def rule_facts() -> list[str]:
    """What the grade rules go by: columns of booleans."""
    return [name for name in queries.columns("rule_facts") if name != "customer_id"]


# A step asks for a dozen cohorts, and its Lake may see the facts as they were when first asked.
@lru_cache(maxsize=4096)
def _held(lake: Lake, table: str, month: RatingMonth) -> _Held:
    [files] = lake.fact_files(table, [month])
    key = {fact_key(table): month}
    return _Held(files, " ".join(lake.manifest(part, **key)["sha256"] for part in (table, QUARANTINE + table)))


@lru_cache(maxsize=64)
def _facts(lake: Lake, table: str) -> list[RatingMonth]:
    return lake.facts(table)


def _months(
    table: SourceTable, lake: Lake, policy: Policy, month: RatingMonth, known: RatingMonth
) -> list[RatingMonth]:
    held = _facts(lake, table.name)
    if table.snapshot:
        if known not in held:
            raise LakeError(f"the lake has no {table.name} of {known}: extract {known} first")
        return [known]
    return [recorded for recorded in held if first_read(table, policy, month) <= recorded <= known]


def first_read(table: SourceTable, policy: Policy, month: RatingMonth) -> RatingMonth:
    """The first recorded month of a table of facts that a rating reads."""
    history = (
        policy.index_parameters.bill_history_months + 2 if table.name in _BILLING else policy.extract.history_months
    )
    return month - history + 1


def _cutoff_day(month: RatingMonth) -> date:
    return (month + 1).first_day


def model_columns(names: Iterable[str], alias: str = "i") -> str:
    """A select list of index values for a model: null where the value was missing, whatever stands in its place."""
    return ", ".join(f"case when not {alias}.{name}_missing then {alias}.{name} end as {name}" for name in names)
