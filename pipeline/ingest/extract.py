"""Extract: what a month needs and the lake lacks, from the billing system into immutable partitions.

Reads sql/extract/*.sql; writes <lake>/<table>/recorded_month=... (customers: snapshot_month=...). A partition that is
there is never read again, so a run that stopped half-way goes on where it stopped. Customers who were erased
(ops.erasures) are left out.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.basis import Basis
from pipeline.engine.connection import open_connection
from pipeline.engine.parquet import literal
from pipeline.errors import LakeError, MonthError, MonthNotClosedError, SourceContractError
from pipeline.ingest.erased_rows import leave_out
from pipeline.lake import Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.source import Column, SourceTable, contract, table
from pipeline.source.read import BillingSystem, ExtractQuery
from pipeline.source.read.arrow_rows import trimmed
from pipeline.source.read.query_text import location
from pipeline.warehouse.tables import erasures

CLOSES = "billing_closes"
FILE = "part-0.parquet"
AT_ONCE = 2
"""Partitions under way: while the billing system sends the rows of one, those of another are sorted and written."""
Progress = Callable[[int, int, str], None]
_LOG = logging.getLogger(__name__)


def is_month_closed(month: RatingMonth, settings: Settings, policy: Policy) -> bool:
    """Whether billing has closed the month. True where the billing system keeps no closes."""
    with BillingSystem(settings.source, policy.timezone) as source:
        closed = _closed_months(source)
    return closed is None or month in closed


def require_closed(month: RatingMonth, settings: Settings, policy: Policy) -> None:
    """MonthNotClosedError unless billing has closed the month."""
    with BillingSystem(settings.source, policy.timezone) as source:
        _last_month_to_read(month, source, Basis.AS_KNOWN_THEN)


def extract(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = Basis.AS_KNOWN_THEN,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Bring the lake to what a rating of ``month`` reads.

    ``progress`` is called with partitions done, partitions to do and what comes next. Returns the partitions and rows
    written by table, the optional tables that are absent, and by table the rows that no month can hold.
    Errors: MonthNotClosedError, SourceContractError, SourceUnavailableError, LakeError.
    """
    lake = Lake.of(settings)
    with BillingSystem(settings.source, policy.timezone) as source:
        last = _last_month_to_read(month, source, basis)
        wanted: list[_Wanted] = []
        absent = []
        for contracted in sorted(contract().values(), key=lambda contracted: contracted.snapshot):
            if contracted.name != CLOSES:
                months = list(RatingMonth.span(min(month - policy.extract.history_months + 1, last), last))
                if contracted.snapshot:
                    months = _of_snapshots(policy.cohorts(month), last, lake, wanted)
                missing = _missing(contracted.name, months, lake, source, policy)
                absent += [contracted.name] if missing is None else []
                wanted += missing or []
        undated = _undated({part.query.table.name: part.query for part in wanted}, source, policy)
    written: dict[str, dict[str, int]] = {}
    with closing(_write_all(wanted, lake, settings, policy)) as rows:
        for done, part in enumerate(wanted):
            if progress:
                progress(done, len(wanted), f"{part.query.table.name} {part.month}")
            tally = written.setdefault(part.query.table.name, {"partitions": 0, "rows": 0})
            tally["partitions"] += 1
            tally["rows"] += next(rows)
    if progress:
        progress(len(wanted), len(wanted), "extracted")
    return {
        "month": str(month),
        "basis": basis,
        "known_in": str(last),
        "written": written,
        "absent": absent,
        "undated": undated,
    }


@dataclass(frozen=True)
class _Wanted:
    """A partition to write; ``first`` is the first month in which the source recorded anything in the table."""

    query: ExtractQuery
    month: RatingMonth
    first: RatingMonth


def _last_month_to_read(month: RatingMonth, source: BillingSystem, basis: str) -> RatingMonth:
    """The last recorded month a rating may know of; MonthNotClosedError when ``month`` itself is not closed."""
    closed = _closed_months(source)
    if closed is None:
        return month
    if month not in closed:
        latest = f"the latest closed month is {max(closed)}" if closed else "no month is closed yet"
        raise MonthNotClosedError(
            f"{month} is not closed in the billing system ({latest}): wait for its row in {CLOSES}, "
            "or rate a closed month"
        )
    return max(closed) if basis == Basis.AS_KNOWN_NOW else month


def _closed_months(source: BillingSystem) -> set[RatingMonth] | None:
    """None: the billing system keeps no closes."""
    query = source.query(table(CLOSES))
    if query is None:
        _LOG.info("the billing system has no %s: every month counts as closed", CLOSES)
        return None
    months = set()
    for (day,) in source.values(query, "billing_month"):
        try:
            months.add(RatingMonth.parse(str(day)[:7]))
        except MonthError:
            raise SourceContractError(
                f"{CLOSES}.billing_month holds {day!r}, which is not a date; fix that row"
            ) from None
    return months


def _of_snapshots(
    cohorts: list[RatingMonth], last: RatingMonth, lake: Lake, wanted: list["_Wanted"]
) -> list[RatingMonth]:
    """The months of which the customers are needed: the last, and those of the cohorts that have bills."""
    bills = [*lake.facts("bills"), *(part.month for part in wanted if part.query.table.name == "bills")]
    return sorted({last, *(cohort for cohort in cohorts if bills and cohort >= min(bills))})


def _missing(
    name: str, months: list[RatingMonth], lake: Lake, source: BillingSystem, policy: Policy
) -> list[_Wanted] | None:
    """The partitions of those months that the lake lacks, in chronological order, none from before the source's first
    record but that of the last month; None: the source lacks the table."""
    contracted, last = table(name), months[-1]
    present = set(lake.facts(name))
    first = _first_month_by_the_lake(contracted, lake, sorted(present), policy)

    def lacking(first: RatingMonth) -> list[RatingMonth]:
        return [needed for needed in months if needed not in present and (first <= needed or needed == last)]

    if first is not None and not lacking(first):
        return []
    query = source.query(contracted)
    if query is None:
        return None
    if first is None:
        recorded = source.first_recorded(query, last.cutoff(policy.timezone))
        first = _month_of(recorded, policy) if recorded else last
    return [_Wanted(query, needed, first) for needed in lacking(first)]


def _first_month_by_the_lake(
    contracted: SourceTable, lake: Lake, present: list[RatingMonth], policy: Policy
) -> RatingMonth | None:
    """The first month in which the source recorded anything, as an earlier extraction found out: nothing is ever
    recorded into the past. None where the lake holds nothing of the table."""
    key = fact_key(contracted.name)
    first = None
    for month in present:
        manifest = lake.manifest(contracted.name, **{key: month})
        if manifest["recorded_before"] != month.cutoff(policy.timezone).astimezone(UTC).isoformat():
            raise LakeError(
                f"{lake.path(contracted.name, **{key: month})} was cut in another time zone than the policy's "
                f"({policy.timezone}): put the zone back, or set GRIDGRADE_LAKE to an empty folder"
            )
        first = first or RatingMonth.parse(manifest["source_first_month"])
    return first


def count_undated(query: ExtractQuery, source: BillingSystem, policy: Policy) -> int | None:
    """How many rows no month can ever hold, for want of a usable recorded_at; None where that cannot be counted.

    SourceContractError past the policy's limit.
    """
    name, limit = query.table.name, policy.validation.undated_limit
    counted = source.undated_rows(query)
    if counted is None:
        return None
    undated, rows, examples = counted
    if undated > limit * rows:
        raise SourceContractError(
            f"{name}: {undated:,} of {rows:,} rows have a recorded_at that is null, infinite or before 1900, and "
            f"belong to no month ({', '.join(examples)}), limit {limit:.4g}: fill it in, give them another instant in "
            f"{location(query.table)}, or raise validation.undated_limit in the policy"
        )
    if undated:
        _LOG.warning("%s: %d rows without a usable recorded_at: %s", name, undated, ", ".join(examples))
    return undated


def _undated(queries: dict[str, ExtractQuery], source: BillingSystem, policy: Policy) -> dict[str, int]:
    """By table, the rows that no month can hold, of those tables that have some."""
    found = {}
    for name, query in queries.items():
        undated = count_undated(query, source, policy)
        if undated is None:
            _LOG.warning("%s: rows without a usable recorded_at cannot be counted in this query", name)
        elif undated:
            found[name] = undated
        if query.without_total:
            _LOG.warning("%s: no totals of %s, which are not numbers there", name, ", ".join(query.without_total))
    return found


def _month_of(instant: datetime, policy: Policy) -> RatingMonth:
    """The month of the policy's calendar in which an instant lies."""
    guess = RatingMonth.of(instant.astimezone(UTC).date())
    return next(near for near in (guess - 1, guess, guess + 1) if instant < near.cutoff(policy.timezone))


def _write_all(wanted: list[_Wanted], lake: Lake, settings: Settings, policy: Policy) -> Generator[int, None, None]:
    """The rows of each partition once it is written, in the order of ``wanted``; AT_ONCE are under way."""
    if not wanted:
        return
    erased = erasures.erased(settings)
    with ExitStack() as opened:
        database = opened.enter_context(open_connection(settings))
        lanes: SimpleQueue = SimpleQueue()
        for _ in range(AT_ONCE):
            source = opened.enter_context(BillingSystem(settings.source, policy.timezone))
            lanes.put((source, opened.enter_context(database.cursor())))

        def write(part: _Wanted) -> int:
            source, session = lane = lanes.get()
            try:
                return _write(part, lake, source, session, policy, erased)
            finally:
                lanes.put(lane)

        yield from opened.enter_context(ThreadPoolExecutor(AT_ONCE)).map(write, wanted)


def _write(
    part: _Wanted,
    lake: Lake,
    source: BillingSystem,
    database: duckdb.DuckDBPyConnection,
    policy: Policy,
    erased: Collection[str],
) -> int:
    """One partition, from the source's snapshot of this moment, less erased customers; returns its rows."""
    name = part.query.table.name
    bounds = {
        "recorded_from": (part.month - 1).cutoff(policy.timezone),
        "recorded_before": part.month.cutoff(policy.timezone),
    }
    with (
        lake.writing(name, **{fact_key(name): part.month}) as partition,
        source.reading(part.query, **bounds) as reading,
    ):
        file = partition.folder / FILE
        batches, blanks = trimmed(reading.batches, part.query.table.column_names)
        _write_sorted(part.query, batches, database, file)
        has_customers = "customer_id" in part.query.table.column_names
        left_out = leave_out(database, file, erased if has_customers else (), part.query.table.money_columns)
        rows, sums, wrong_types = _contents(part.query.table, database, file)
        partition.manifest(
            rows=rows,
            sums=sums,
            wrong_types=wrong_types,
            trimmed=blanks,
            source_rows=reading.rows - left_out.rows,
            source_sums=left_out.less(reading.sums),
            source_first_month=str(part.first),
            columns=list(part.query.columns),
            query_sha256=hashlib.sha256(part.query.text.encode()).hexdigest(),
            extracted_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **{bound: instant.astimezone(UTC).isoformat() for bound, instant in bounds.items()},
        )
    return rows


def _write_sorted(
    query: ExtractQuery, batches: pa.RecordBatchReader, database: duckdb.DuckDBPyConnection, file: Path
) -> None:
    """The rows in the contract's types, in an order that depends on nothing but the rows."""
    database.register("incoming", batches)
    try:
        described = database.execute("describe incoming").fetchall()
        types = {name.lower(): kind for name, kind, *_ in described}
        columns = [_Typed(column, types.get(column.name)) for column in query.table.lake_columns]
        doubtful = [column for column in columns if column.wrong]
        listed = [f"{column.readable} as {column.name}" for column in columns]
        if doubtful:
            names = ", ".join(f"case when {column.wrong} then '{column.name}' end" for column in doubtful)
            raw = ", ".join(f"case when {column.wrong} then {column.raw} end" for column in doubtful)
            any_wrong = " or ".join(f"({column.wrong})" for column in doubtful)
            listed += [
                f"case when {any_wrong} then concat_ws(',', {names}) end as _wrong_types",
                f"case when {any_wrong} then '{{' || concat_ws(', ', {raw}) || '}}' end as _raw",
            ]
        else:
            listed += ["cast(null as varchar) as _wrong_types", "cast(null as varchar) as _raw"]
        # By customer, so that a range of customers is found in a few row groups of every month.
        by = sorted((column.name for column in query.table.lake_columns), key=lambda name: name != "customer_id")
        rows = f"select {', '.join(listed)} from incoming order by {', '.join(by)}, _wrong_types, _raw"
        database.execute(f"copy ({rows}) to {literal(file)} (format parquet, compression zstd, row_group_size 50000)")
    finally:
        database.unregister("incoming")


class _Typed:
    """How a column that arrives as ``arriving`` (None: not at all) is read as the contract's type.

    ``readable`` is null where the value cannot be read; ``wrong`` says so ("" where that cannot happen): NaN and
    infinity are no numbers, and a date outside the years 1900 to 9999 is none either. An optional date at the end of
    time is no end: null, and not wrong.
    """

    def __init__(self, column: Column, arriving: str | None):
        self.name, kind = column.name, column.sql_type
        self.wrong = self.raw = ""
        if arriving is None:
            self.readable = f"cast(null as {kind})"
            return
        as_it_is = arriving.replace(" ", "") == kind.replace(" ", "").replace("TIMESTAMPTZ", "TIMESTAMPWITHTIMEZONE")
        self.readable = self.name if as_it_is else f"try_cast({self.name} as {kind})"
        if kind in ("DATE", "TIMESTAMPTZ"):
            self.readable = (
                f"(case when {self.readable} between '1900-01-01' and '9999-12-30' then {self.readable} end)"
            )
        elif as_it_is or kind == "VARCHAR":
            return
        elif cast := _exact(self.name, kind, arriving):
            self.readable = f"(case when {cast} = {self.readable} then {self.readable} end)"
        self.wrong = f"{self.name} is not null and {self.readable} is null"
        if kind in ("DATE", "TIMESTAMPTZ") and not column.is_required:
            self.wrong += f" and not coalesce(try_cast({self.name} as {kind}) > '9999-12-30', false)"
        self.raw = f"'\"{self.name}\": ' || to_json(cast({self.name} as varchar))"


def _exact(name: str, kind: str, arriving: str) -> str | None:
    """What a value has to equal to be read as ``kind``, where a cast would round or make something up."""
    if arriving == "BOOLEAN":  # 1 for true
        return None if kind == "BOOLEAN" else f"cast(null as {kind})"
    if kind == "INTEGER" and not arriving.endswith("INT"):
        return f"try_cast({name} as double)"
    if kind == "DECIMAL(18, 2)" and arriving == "VARCHAR":
        return f"try_cast({name} as decimal(38, 10))"
    if kind == "BOOLEAN" and arriving != "VARCHAR":  # all but 0 for true
        return f"(case when {name} in (0, 1) then {name} = 1 end)"
    return None


def _contents(
    contracted: SourceTable, database: duckdb.DuckDBPyConnection, file: Path
) -> tuple[int, dict[str, str], dict[str, int]]:
    """Rows, sums of the money columns and unreadable values by column, of the file as written."""
    sums = ", ".join(f"coalesce(sum({column}), 0)::decimal(38, 2)" for column in contracted.money_columns)
    [(rows, unreadable, *totals)] = database.execute(
        f"select count(*), count(_wrong_types){', ' + sums if sums else ''} from read_parquet($file)",
        {"file": str(file)},
    ).fetchall()
    wrong: dict[str, int] = {}
    if unreadable:
        wrong = dict(
            database.execute(
                "select unnest(string_split(_wrong_types, ',')) as name, count(*) from read_parquet($file) "
                "where _wrong_types is not null group by name order by name",
                {"file": str(file)},
            ).fetchall()
        )
    return rows, dict(zip(contracted.money_columns, map(str, totals), strict=True)), wrong
