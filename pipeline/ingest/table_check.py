"""One table's partitions held to its suite: DuckDB picks out the rows that may fail, Great Expectations judges them.

What fails is written to <lake>/quarantine/<table>/... beside the facts, which stay as they are.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from pipeline.engine.parquet import lacking, literal, literals
from pipeline.ingest.expectations import (
    FIRST,
    IN_MONTH,
    Checker,
    Rule,
    Suite,
    Total,
    chunked,
    rules_by_row,
    suspicious,
    total_rules,
)
from pipeline.lake import QUARANTINE, Lake, Partition, fact_key
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.source import Reference, SourceTable, contract
from pipeline.warehouse.tables.data_quality import PartitionCheck

Store = Callable[[str, list[PartitionCheck]], None]
"""Tells the warehouse what was found in a table's partitions."""
_FRAME_ROWS = 100_000
_BATCH_ROWS = 65_536
_EXAMPLES = 5


@dataclass(frozen=True)
class Pending:
    """A partition to check: its file, the manifest of its facts, and what it is checked against, hashed."""

    month: RatingMonth
    file: str
    facts: dict[str, Any]
    fingerprint: str


def months_read(lake: Lake, table: SourceTable, known: RatingMonth) -> list[RatingMonth]:
    """The months whose partitions a rating may read that knows the records up to ``known``, in chronological order.

    Of a snapshot table that is the partition of ``known`` alone.
    """
    return [month for month in lake.facts(table.name) if month == known or (month < known and not table.snapshot)]


def _of_cohorts(lake: Lake, table: SourceTable, cohorts: Iterable[RatingMonth]) -> list[RatingMonth]:
    return [month for month in cohorts if table.snapshot and lake.has(table.name, snapshot_month=month)]


class TableCheck:
    """One table's partitions against its suite; of a snapshot table also those of these cohorts."""

    def __init__(
        self, suite: Suite, lake: Lake, known: RatingMonth, policy: Policy, cohorts: Iterable[RatingMonth] = ()
    ):
        self._table, self._suite, self._totals = suite.table, suite, total_rules(suite.table)
        self._lake, self._known, self._policy = lake, known, policy
        self._key = fact_key(suite.table.name)
        self._months = sorted({*months_read(lake, suite.table, known), *_of_cohorts(lake, suite.table, cohorts)})
        tables = {suite.table.name, *(reference.table for reference in suite.table.references)} - {"customers"}
        self._beginnings = {name: str(lake.beginning(name) or "") for name in sorted(tables)}
        self._suite_sha256 = suite.sha256
        self._failures = f"failures_of_{suite.table.name}"  # of all tables, those of some are under way at once
        self._pending = self._find_pending()

    def run(self, database: duckdb.DuckDBPyConnection, store: Store, differences: Collection[Total]) -> int:
        """Check what was not checked yet, or against something else, and write its quarantine; returns the partitions.

        ``differences`` are those of ``totals`` that do not tie. ``store`` tells the warehouse before the lake keeps a
        result: what the lake calls checked is known there.
        """
        pending = self._pending
        if not pending:
            return 0
        self._bind(pending, database)
        examples = self._find_failures(pending, database)
        totals = {(total.part, total.rule): total for total in differences if total.table == self._table.name}
        names = [rule.name for rule in self._suite.rules]
        refusing = [number for number, rule in enumerate(self._suite.rules) if rule.severity == "fail"]
        database.execute(
            "create or replace temp table failed as select part, row_number, "
            "list_transform(list_filter(rules, lambda rule: list_contains($refusing, rule)), "
            f"lambda rule: $names[rule + 1]) as names from {self._failures} where list_has_any(rules, $refusing)",
            {"names": names, "refusing": refusing},
        )
        counts: dict[int, Counter] = {number: Counter() for number in range(len(pending))}
        tally = database.execute(
            f"select part, rule, count(*) from (select part, unnest(rules) as rule from {self._failures}) group by all"
        ).fetchall()
        for part, rule, rows in tally:
            counts[part][names[rule]] = rows
        database.execute(f"drop table {self._failures}")
        with ExitStack() as partitions:
            checks = []
            for number, partition in enumerate(pending):
                rows = partition.facts["rows"]
                results = [
                    _result(rule, rows, counts[number][rule.name], examples.get((number, rule.name)))
                    for rule in self._suite.rules
                ]
                results += [
                    _total_result(rule, rows, totals.get((number, rule.name))) for rule in self._totals.values()
                ]
                keys = {self._key: partition.month}
                quarantine = partitions.enter_context(self._lake.writing(QUARANTINE + self._table.name, **keys))
                file = self._write(quarantine, number, partition, results, database)
                rows_out = self._for_warehouse(quarantine, database, file) if file else ()
                checks.append(PartitionCheck(partition.month, results, rows_out))
            store(self._table.name, checks)
        return len(pending)

    def totals(self) -> Iterator[Total]:
        """What the partitions to check add up to."""
        for part, partition in enumerate(self._pending):
            facts = partition.facts
            lake = {"rows": facts["rows"], **facts["sums"]}
            # a value that cannot be read is in quarantine, and in no total of the lake
            comparable = {
                name: value for name, value in facts["source_sums"].items() if name not in facts["wrong_types"]
            }
            source = {"rows": facts["source_rows"], **comparable}
            for name, rule in self._totals.items():
                of_source = str(source[name]) if name in source else None
                yield Total(self._table.name, part, rule.name, str(lake[name]), of_source)

    def _find_pending(self) -> list[Pending]:
        """Partitions that were not checked yet, or against something else."""
        found = []
        for month in self._months:
            facts = self._lake.manifest(self._table.name, **{self._key: month})
            fingerprint = self._fingerprint(facts)
            name = QUARANTINE + self._table.name
            keys = {self._key: month}
            if not self._lake.has(name, **keys) or self._lake.manifest(name, **keys)["fingerprint"] != fingerprint:
                [file] = self._lake.files(self._table.name, **keys)
                found.append(Pending(month, file, facts, fingerprint))
        return found

    def _fingerprint(self, facts: dict[str, Any]) -> str:
        """Of all that decides which rows fail: the rows, the expectations, and from when on the lake remembers."""
        content = {
            "facts": facts["sha256"],
            "suite": self._suite_sha256,
            "grace": self._policy.validation.reference_grace_months,
            "timezone": self._policy.timezone,
            "beginnings": self._beginnings,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    # -- what looks past the row --------------------------------------------------------------------------------

    def _bind(self, pending: list[Pending], database: duckdb.DuckDBPyConnection) -> None:
        """View ``facts`` of the rows to check; of those that fail, tables ``not_first`` and ``_unknown(reference)``."""
        numbers = {partition.month: number for number, partition in enumerate(pending)}
        columns = {column.name: column.sql_type for column in self._table.lake_columns}
        _bind_files(database, "facts", self._files(self._table, numbers), numbers, columns)
        before = [] if self._table.snapshot else self._months
        earlier = [month for month in before if month not in numbers and month < pending[-1].month]
        _bind_files(database, "earlier", self._files(self._table, earlier), dict.fromkeys(earlier, -1))
        self._find_repeated_keys(database)
        for reference in self._table.references:
            self._find_unknown(reference, database)

    def _files(self, table: SourceTable, months: Iterable[RatingMonth]) -> list[tuple[RatingMonth, str]]:
        key = fact_key(table.name)
        return [(month, self._lake.files(table.name, **{key: month})[0]) for month in sorted(months)]

    def _find_repeated_keys(self, database: duckdb.DuckDBPyConnection) -> None:
        """Rows whose key was there before: in an earlier month (not of a snapshot), or higher up in the partition.

        Hashes find the few candidates without holding every key of the lake; only those are then compared in full.
        """
        keys = ", ".join(self._table.key)
        given = " and ".join(f"{name} is not null" for name in self._table.key)
        within = f"{keys}, month" if self._table.snapshot else keys
        database.execute(f"""
            create or replace temp table suspects as
            select h from (select hash({within}) as h from facts where {given}) group by h having count(*) > 1
            union
            select hash({keys}) as h from earlier_rows semi join facts using ({keys})
        """)
        database.execute(f"""
            create or replace temp table not_first as
            select part, row_number from (
                select part, row_number, row_number() over (partition by {within} order by month, row_number) as place
                from (select * from facts union all by name select * from earlier)
                where {given} and hash({within}) in (select h from suspects)
            ) where place > 1 and part >= 0
        """)

    def _find_unknown(self, reference: Reference, database: duckdb.DuckDBPyConnection) -> None:
        """Rows that name something no row of the lake knew by their month. In the lake's first months a reference may
        lead to before the lake. Customers are known by the snapshot of the last month that is read."""
        to = contract()[reference.table]
        if to.snapshot:
            months = [month for month in self._lake.facts(to.name) if month == self._known]
            since, in_time = "1900-01", ""
        else:
            months = [month for month in self._lake.facts(to.name) if month <= self._known]
            beginning = self._lake.beginning(to.name)
            since = str(beginning + self._policy.validation.reference_grace_months) if beginning else "1900-01"
            in_time = "and known.month <= facts.month"
        _bind_files(database, "known", self._files(to, months), dict.fromkeys(months, 0))
        # Most of the lake is named by nobody now: what is, is picked out before anything else is asked of it.
        database.execute(f"""
            create or replace temp table named as
            select {reference.referred_column} as name, filename from known_rows
            where {reference.referred_column} in (select {reference.column} from facts)
        """)
        database.execute(
            f"create or replace temp table {_unknown(reference)} as select part, row_number from facts "
            f"where {reference.column} is not null and month >= $since and not exists "
            "(select 1 from named join known_files as known using (filename) "
            f"where named.name = facts.{reference.column} {in_time})",
            {"since": since},
        )

    # -- what Great Expectations finds --------------------------------------------------------------------------

    def _find_failures(
        self, pending: list[Pending], database: duckdb.DuckDBPyConnection
    ) -> dict[tuple[int, str], list[str]]:
        """Fill the table of failures (part, row_number, numbers of the rules); a few bad values by part and rule.

        The frames are a stream on the connection. What is found goes to a table by another one, since every row may
        fail and the table may spill.
        """
        checker = cache(lambda: Checker(self._table.name, self._suite.rules))
        examples: dict[tuple[int, str], list[str]] = {}
        with database.cursor() as other:
            other.execute(
                f"create or replace table {self._failures} (part integer, row_number bigint, rules smallint[])"
            )
            for frame in self._frames(pending, database):
                parts, row_numbers = frame.pop("_part").to_numpy(), frame.pop("_row").to_numpy()
                failures = list(checker().failures(frame))
                for failure in failures:
                    for position, value in zip(failure.positions, failure.examples, strict=False):
                        examples.setdefault((int(parts[position]), failure.rule.name), []).append(value)
                places, rules = rules_by_row(failures, self._suite.rules)
                found = pa.table({"part": parts[places], "row_number": row_numbers[places], "rules": rules})
                other.register("found", found)
                other.execute(f"insert into {self._failures} from found")
                other.unregister("found")
        return examples

    def _frames(self, pending: list[Pending], database: duckdb.DuckDBPyConnection) -> Iterator[pd.DataFrame]:
        """The rows that may fail, with what their rules look at."""
        bounds = [
            {"number": number, "since": part.facts["recorded_from"], "until": part.facts["recorded_before"]}
            for number, part in enumerate(pending)
        ]
        database.register("bounds", pa.Table.from_pylist(bounds))
        since = "true" if self._table.snapshot else "facts.recorded_at >= cast(bounds.since as timestamptz)"
        columns = [f'{sql} as "{name}"' for name, sql in self._suite.columns.items()]
        columns.append(
            f"coalesce({since} and facts.recorded_at < cast(bounds.until as timestamptz), true) as {IN_MONTH}"
        )
        flags = [(FIRST, "not_first")]
        flags += [(reference.name, _unknown(reference)) for reference in self._table.references]
        columns += [f"({table}.part is null) as {flag}" for flag, table in flags]
        joins = [
            f"left join {table} on {table}.part = facts.part and {table}.row_number = facts.row_number"
            for _, table in flags
        ]
        frames = database.sql(
            f"select * from (select facts.part as _part, facts.row_number as _row, {', '.join(columns)} "
            f"from facts join bounds on bounds.number = facts.part {' '.join(joins)}) "
            f"where {suspicious(self._suite.rules)}"
        ).to_arrow_reader(_FRAME_ROWS)
        yield from chunked(frames, _FRAME_ROWS)

    def _write(
        self,
        quarantine: Partition,
        number: int,
        partition: Pending,
        results: list[dict],
        database: duckdb.DuckDBPyConnection,
    ) -> Path | None:
        """Fill the quarantine of a partition; returns the file of its rows, None where no row is to be left out."""
        rows, file = 0, None
        if any(result["rows_failed"] for result in results if result["severity"] == "fail"):
            file = quarantine.folder / Path(partition.file).name
            rows = self._write_rows(number, database, file)
        quarantine.manifest(
            rows=rows,
            checked=partition.facts["rows"],
            results=results,
            suite_sha256=self._suite_sha256,
            input_sha256=partition.facts["sha256"],
            fingerprint=partition.fingerprint,
        )
        return file

    def _write_rows(self, number: int, database: duckdb.DuckDBPyConnection, file: Path) -> int:
        """The failing rows of a partition, whole, with their place in it and the names of what they failed."""
        rows = f"""
            select
                facts.row_number as file_row_number,
                failed.names as failed,
                facts.* exclude (row_number, part, month)
            from facts join failed on failed.part = facts.part and failed.row_number = facts.row_number
            where facts.part = {number} order by file_row_number
        """
        [(written,)] = database.execute(
            f"copy ({rows}) to {literal(file)} (format parquet, compression zstd)"
        ).fetchall()
        return written

    def _for_warehouse(
        self, quarantine: Partition, database: duckdb.DuckDBPyConnection, file: Path
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file of quarantine as the warehouse lists them."""
        key = ", ".join(f"cast({name} as varchar)" for name in self._table.key)
        yield from database.sql(
            f"select file_row_number as row_number, concat_ws(' ', {key}) as row_key, failed, $path as lake_path "
            "from read_parquet($file)",
            params={"path": quarantine.location(file.name), "file": str(file)},
        ).to_arrow_reader(_BATCH_ROWS)


def _result(rule: Rule, rows: int, failed: int, examples: list[str] | None) -> dict[str, Any]:
    return {
        "expectation": rule.name,
        "column_name": rule.column,
        "severity": rule.severity,
        "success": not failed,
        "rows_checked": rows,
        "rows_failed": failed,
        "detail": {"examples": examples[:_EXAMPLES]} if examples else {},
    }


def _total_result(rule: Rule, rows: int, difference: Total | None) -> dict[str, Any]:
    """A partition that does not tie to the source fails as a whole: no row of it is to blame."""
    detail = {"lake": difference.lake, "source": difference.source} if difference else {}
    return {**_result(rule, rows, 0, None), "success": difference is None, "detail": detail}


def _unknown(reference: Reference) -> str:
    """The table of rows whose reference leads nowhere."""
    return f"not_{reference.name}"


def _bind_files(
    database: duckdb.DuckDBPyConnection,
    view: str,
    files: list[tuple[RatingMonth, str]],
    parts: dict[RatingMonth, int],
    columns: Mapping[str, str] | None = None,
) -> None:
    """The rows of these files with the number and month of their partition and their place in it; those of
    ``columns`` that came to the contract after a file was written are null there.

    ``<view>_rows`` has them with their filename alone, and ``<view>_files`` what it stands for: for a search through
    many rows.
    """
    database.execute(f"create or replace temp table {view}_files (filename varchar, part integer, month varchar)")
    if not files:
        database.execute(f"create or replace temp view {view} as select * from facts where false")
        database.execute(f"create or replace temp view {view}_rows as select *, '' as filename from facts where false")
        return
    paths = [path for _, path in files]
    database.executemany(
        f"insert into {view}_files values (?, ?, ?)", [(file, parts[month], str(month)) for month, file in files]
    )
    absent, mixed = lacking(database, paths, columns or {})
    nulls = "".join(f', cast(null as {kind}) as "{name}"' for name, kind in absent.items())
    by_name = ", union_by_name = true" if mixed else ""
    database.execute(
        f"create or replace temp view {view}_rows as "
        f"select *{nulls} from read_parquet({literals(paths)}, filename = true, file_row_number = true{by_name})"
    )
    database.execute(
        f"create or replace temp view {view} as "
        "select rows.* exclude (filename, file_row_number), file_row_number as row_number, part, month "
        f"from {view}_rows as rows join {view}_files using (filename)"
    )
