"""Validate: hold every extracted partition to the source contract; what fails goes to quarantine, with reasons.

Reads the lake's facts; writes <lake>/quarantine/<table>/..., ops.validation_results, ops.quarantine and the validation
pages. The facts themselves stay as they are: readers leave the rows in quarantine out. A partition is checked once, and
again only when the contract, the policy or what it is compared with changes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.basis import Basis
from pipeline.engine import Engine, open_engine
from pipeline.engine.connection import open_connection
from pipeline.errors import DataQualityError, GridgradeError, LakeError
from pipeline.ingest.expectations import differing, row_suite
from pipeline.ingest.table_check import Judged, TableCheck, months_read
from pipeline.ingest.validation_pages import Validated, write_pages
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.warehouse.tables.data_quality import PartitionCheck, replace_validation

Progress = Callable[[int, int, str], None]
_LISTING = 1 / 5
"""Of the memory, for the list of rows in quarantine that the warehouse and the pages get."""
_JUDGED_ROWS = 1_000
"""A share of fewer rows says little: a month with fewer is judged together with those before it, up to this many."""


def validate(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Check what a rating of ``month`` may read of the lake.

    Returns the partitions checked now, rows and rows in quarantine by table, and the path of the validation pages.
    Errors: DataQualityError where a table has more failures than the policy allows, does not tie to the source or is
    empty, after everything found was written; LakeError; WarehouseUnavailableError.
    """
    lake = Lake.of(settings)
    known = KnownRecords(lake, policy, month, basis).known_in
    tables = [table for table in contract().values() if "recorded_at" in table.column_names and lake.facts(table.name)]
    suites = {table.name: row_suite(table, policy) for table in tables}
    cohorts = policy.cohorts(month)
    checks = [TableCheck(suite, lake, known, policy, cohorts) for suite in suites.values()]

    def store(name: str, checks: list[PartitionCheck]) -> None:
        replace_validation(settings, month, name, checks, basis=basis)

    checked = 0
    with (
        open_engine(settings.with_memory(1 - _LISTING), policy.timezone) as engine,
        open_connection(settings.with_memory(_LISTING), policy.timezone) as database,
        TemporaryDirectory(dir=settings.scratch_path) as scratch,
        ThreadPoolExecutor(1) as judge,
    ):
        differences = judge.submit(differing, [total for check in checks for total in check.totals()])
        for done, (check, judged) in enumerate(_judged(checks, engine, Path(scratch), judge)):
            if progress:
                progress(done, len(tables), tables[done].name)
            if judged:
                checked += check.enter(judged, engine, database, store, differences.result())
        outcomes = {table.name: _outcomes(lake, table.name, known) for table in tables}
        refusals = _refusals(month, outcomes, lake, settings, policy)
        validated = [
            Validated(
                suites[name], months, policy.validation.limit(name), str(refusals[name]) if name in refusals else None
            )
            for name, months in outcomes.items()
        ]
        write_pages(settings.data_docs_path, month, basis, validated, lake, database, [*map(str, refusals.values())])
    if progress:
        progress(len(tables), len(tables), "validated")
    if refusals:
        raise next(iter(refusals.values()))
    return {
        "month": str(month),
        "basis": basis,
        "partitions_checked": checked,
        "rows": {name: _total(months, "checked") for name, months in outcomes.items()},
        "quarantined": {name: _total(months, "rows") for name, months in outcomes.items()},
        "data_docs": str(settings.data_docs_path / "index.html"),
    }


def _judged(
    checks: Sequence[TableCheck], engine: Engine, folder: Path, judge: Executor
) -> Iterator[tuple[TableCheck, Judged | None]]:
    """Each table and what Great Expectations says of it, None where nothing is to be checked. While it looks at one
    table, the engine looks up the next."""
    under_way: Callable[[], Judged | None] | None = None
    for before, check in zip([None, *checks], [*checks, None], strict=True):
        file = check and check.pick_out(engine, folder)
        if before and under_way:
            yield before, under_way()
        under_way = judge.submit(check.judge, file).result if check and file else lambda: None


Outcomes = dict[RatingMonth, dict[str, Any]]
"""The manifests of a table's quarantine by recorded month, in chronological order."""


def _outcomes(lake: Lake, name: str, known: RatingMonth) -> Outcomes:
    months = months_read(lake, contract()[name], known)
    return {recorded: lake.manifest(QUARANTINE + name, **{fact_key(name): recorded}) for recorded in months}


def _total(months: Outcomes, what: str) -> int:
    return sum(outcome[what] for outcome in months.values())


def _refusals(
    month: RatingMonth, outcomes: dict[str, Outcomes], lake: Lake, settings: Settings, policy: Policy
) -> dict[str, GridgradeError]:
    """Why the run stops, by table; the gravest first."""
    found: dict[str, GridgradeError] = {}
    for table in contract().values():
        if table.is_required and not _total(outcomes.get(table.name, {}), "checked"):
            found[table.name] = DataQualityError(
                f"{table.name}: the billing system recorded no row up to {month}, and a rating needs this table; "
                "load it, or adapt its extract query to where its records are"
            )
    if not policy.validation.allow_month_without_bills and (missing := _no_bills(month, outcomes.get("bills", {}))):
        found.setdefault("bills", missing)
    for name, months in outcomes.items():
        if different := _different_totals(lake, name, months) or _too_many_failures(name, months, settings, policy):
            found.setdefault(name, different)
    return found


def _no_bills(month: RatingMonth, bills: Outcomes) -> GridgradeError | None:
    if month not in bills:
        return LakeError(f"the lake has no bills of {month}: extract {month} first")
    if not bills[month]["checked"]:
        return DataQualityError(
            f"bills {month}: the billing system recorded no bill in the month; wait for billing, or set "
            "validation.allow_month_without_bills in the policy"
        )
    return None


def _different_totals(lake: Lake, name: str, months: Outcomes) -> GridgradeError | None:
    for recorded, outcome in months.items():
        for result in outcome["results"]:
            if {"lake", "source"} <= set(result["detail"]):
                return DataQualityError(
                    f"{name} {recorded}: not {result['expectation']}: {result['detail']['lake']} in the lake, "
                    f"{result['detail']['source']} in the billing system; remove "
                    f"{lake.path(name, **{fact_key(name): recorded})} and run again"
                )
    return None


def _too_many_failures(name: str, months: Outcomes, settings: Settings, policy: Policy) -> GridgradeError | None:
    """Each month on its own, unless it has too few rows for a share to mean something."""
    limit = policy.validation.limit(name)
    for recorded, outcome in months.items():
        judged = _judged_together(months, recorded)
        rows, failed = _total(judged, "checked"), _total(judged, "rows")
        if not outcome["rows"] or failed <= limit * rows:
            continue
        reasons: Counter[str] = Counter()
        for part in judged.values():
            reasons.update(
                {
                    result["expectation"]: result["rows_failed"]
                    for result in part["results"]
                    if result["severity"] == "fail"
                }
            )
        [(reason, often)] = reasons.most_common(1)
        when = recorded if len(judged) == 1 else f"{min(judged)} to {recorded}"
        return DataQualityError(
            f"{name} {when}: {failed:,} of {rows:,} rows ({failed / rows:.1%}) failed, limit {limit:.4g}: most often "
            f"not {reason!r} ({often:,}); see ops.quarantine and {settings.data_docs_path / 'index.html'}; correct "
            f"them in the billing system, or raise validation.quarantine_limits.{name} in the policy"
        )
    return None


def _judged_together(months: Outcomes, recorded: RatingMonth) -> Outcomes:
    """The month, and as many before it as it takes to have enough rows."""
    judged: Outcomes = {}
    for month in sorted((month for month in months if month <= recorded), reverse=True):
        judged[month] = months[month]
        if _total(judged, "checked") >= _JUDGED_ROWS:
            break
    return judged
