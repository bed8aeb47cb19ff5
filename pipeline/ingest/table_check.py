"""One table's partitions held to its suite: SQL picks out the rows that may fail, Great Expectations judges them.

What fails is written to <lake>/quarantine/<table>/... beside the facts, which stay as they are.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.engine import Engine, queries
from pipeline.ingest.expectations import (
    RAW,
    WRONG_TYPES,
    Checker,
    Rule,
    Suite,
    Total,
    rules_by_row,
    suspicious,
    total_rules,
)
from pipeline.lake import QUARANTINE, Lake, Partition, fact_key
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.source import Reference, SourceTable, contract
from pipeline.source.write import arrow_schema
from pipeline.warehouse.tables.data_quality import PartitionCheck

Store = Callable[[str, list[PartitionCheck]], None]
"""Tells the warehouse what was found in a table's partitions."""
_FRAME_ROWS = 100_000
_BATCH_ROWS = 65_536
_EXAMPLES = 5
_FILE = "part-0.parquet"
_FAILURES = pa.schema([("file_number", pa.int32()), ("file_row_number", pa.int64()), ("failed", pa.list_(pa.string()))])


@dataclass(frozen=True)
class Pending:
    """A partition to check: its file, the manifest of its facts, and what it is checked against, hashed."""

    month: RatingMonth
    file: str
    facts: dict[str, Any]
    fingerprint: str


@dataclass
class Judged:
    """What Great Expectations found in a table: by the number of a partition and the rule's name how many rows fail and
    the first values that do, and the file of the rows that are to be left out, with their reasons (None: no row)."""

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    examples: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    failures: Path | None = None


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
        self._pending = self._find_pending()

    def pick_out(self, engine: Engine, folder: Path) -> Path | None:
        """A file in ``folder`` of the rows that may fail, of partitions that were not checked yet, or against something
        else; None where there is no such partition."""
        if not self._pending:
            return None
        self._bind_checked(engine)
        before = [] if self._table.snapshot else self._months
        checked = {partition.month for partition in self._pending}
        earlier = [month for month in before if month not in checked and month < self._pending[-1].month]
        keys = {name: kind for name, kind in self._types.items() if name in self._table.key}
        engine.bind_rows("earlier", keys, self._numbered(self._table, earlier))
        engine.bind_table("bounds", self._bounds())
        parameters = {_since(to): self._bind_known(to, engine) for to in self._table.references}
        file = folder / f"{self._table.name}.parquet"
        engine.write(self._query(), parameters, file)
        return file

    def judge(self, file: Path) -> Judged:
        """What Great Expectations says of the rows of a file of ``pick_out``, as many at a time as fit in memory."""
        judged = Judged()
        rules = self._suite.rules
        refusing = {rule.name for rule in rules if rule.severity == "fail"}
        names = pa.array([rule.name for rule in rules], pa.string())
        failures = file.with_suffix(".failures")
        with pq.ParquetFile(file) as rows, pq.ParquetWriter(failures, _FAILURES, compression="zstd") as writer:
            checker = Checker(self._table.name, rules) if rows.metadata.num_rows else None
            for batch in rows.iter_batches(_FRAME_ROWS):
                frame = batch.to_pandas()
                files, places = frame.pop("file_number").to_numpy(), frame.pop("file_row_number").to_numpy()
                failing = list(checker.failures(frame)) if checker else []
                for failure in failing:
                    for number, found in _by_file(files, failure.positions):
                        at = (number, failure.rule.name)
                        judged.counts[at] += len(found)
                        examples = judged.examples.setdefault(at, [])
                        examples += failure.values(frame, found[: _EXAMPLES - len(examples)])
                rows_failed, numbers = rules_by_row([f for f in failing if f.rule.name in refusing], rules)
                failed = pa.ListArray.from_arrays(numbers.offsets, names.take(numbers.values))
                writer.write_batch(pa.record_batch([files[rows_failed], places[rows_failed], failed], schema=_FAILURES))
        file.unlink()
        judged.failures = failures if any(rule in refusing for _, rule in judged.counts) else None
        return judged

    def enter(
        self,
        judged: Judged,
        engine: Engine,
        database: duckdb.DuckDBPyConnection,
        store: Store,
        differences: Collection[Total],
    ) -> int:
        """Write the quarantine of what was judged; returns the partitions.

        ``differences`` are those of ``totals`` that do not tie. ``store`` tells the warehouse before the lake keeps a
        result: what the lake calls checked is known there.
        """
        totals = {(total.part, total.rule): total for total in differences if total.table == self._table.name}
        with ExitStack() as partitions:
            written = {
                partition.month.number: partitions.enter_context(
                    self._lake.writing(QUARANTINE + self._table.name, **{self._key: partition.month})
                )
                for partition in self._pending
            }
            rows = self._write_rows(judged.failures, engine, written) if judged.failures else Counter()
            checks = []
            for part, partition in enumerate(self._pending):
                number, checked = partition.month.number, partition.facts["rows"]
                results = [
                    _result(rule, checked, judged.counts[number, rule.name], judged.examples.get((number, rule.name)))
                    for rule in self._suite.rules
                ]
                results += [
                    _total_result(rule, checked, totals.get((part, rule.name))) for rule in self._totals.values()
                ]
                written[number].manifest(
                    rows=rows[number],
                    checked=checked,
                    results=results,
                    suite_sha256=self._suite_sha256,
                    input_sha256=partition.facts["sha256"],
                    fingerprint=partition.fingerprint,
                )
                out = self._for_warehouse(written[number], database) if rows[number] else ()
                checks.append(PartitionCheck(partition.month, results, out))
            store(self._table.name, checks)
        return len(self._pending)

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

    # -- the rows that may fail ---------------------------------------------------------------------------------

    @property
    def _types(self) -> dict[str, str]:
        """What extraction wrote of a row, by column."""
        own = {column.name: column.sql_type for column in self._table.lake_columns}
        return own | {WRONG_TYPES: "VARCHAR", RAW: "VARCHAR"}

    def _bind_checked(self, engine: Engine) -> None:
        engine.bind_rows("checked", self._types, [(part.month.number, part.file) for part in self._pending])

    def _numbered(self, table: SourceTable, months: Iterable[RatingMonth]) -> list[tuple[int, str]]:
        key = fact_key(table.name)
        return [(month.number, self._lake.files(table.name, **{key: month})[0]) for month in sorted(months)]

    def _bounds(self) -> pa.Table:
        """From when and until when the rows of each partition were recorded; a snapshot's have no beginning."""
        rows = [
            {
                "file_number": part.month.number,
                "since": None if self._table.snapshot else datetime.fromisoformat(part.facts["recorded_from"]),
                "until": datetime.fromisoformat(part.facts["recorded_before"]),
            }
            for part in self._pending
        ]
        instant = pa.timestamp("us", "UTC")
        return pa.Table.from_pylist(
            rows, pa.schema([("file_number", pa.int32()), ("since", instant), ("until", instant)])
        )

    def _bind_known(self, reference: Reference, engine: Engine) -> int:
        """Bind the rows that a reference may lead to; the number of the first month whose references must.

        In the lake's first months a reference may lead to before the lake. Customers are known by the snapshot of the
        last month that is read, whatever month it is.
        """
        to, since = contract()[reference.table], 0
        files = self._numbered(to, months_read(self._lake, to, self._known))
        if to.snapshot:
            files = [(0, file) for _, file in files]
        elif beginning := self._lake.beginning(to.name):
            since = (beginning + self._policy.validation.reference_grace_months).number
        types = {column.name: column.sql_type for column in to.columns}
        engine.bind_rows(_known(reference), {reference.referred_column: types[reference.referred_column]}, files)
        return since

    def _query(self) -> queries.Query:
        """The rows that may fail, with what their rules look at."""
        key = self._table.key
        columns = [f'{sql} as "{name}"' for name, sql in self._suite.columns.items()]
        rows = "select * from checked"
        for reference in self._table.references:
            columns.append(reference.name)
            rows = queries.filled(
                "reference_looked_up",
                rows=rows,
                known=_known(reference),
                referred_column=reference.referred_column,
                column=reference.column,
                since=f":{_since(reference)}",
                flag=reference.name,
            )
        return queries.query(
            "rows_to_judge",
            rows=rows,
            key=", ".join(key),
            within=", ".join([*key, "file_number"] if self._table.snapshot else key),
            given=" and ".join(f"{name} is not null" for name in key),
            columns=", ".join(columns),
            suspicious=suspicious(self._suite.rules),
        )

    # -- the rows that fail -------------------------------------------------------------------------------------

    def _write_rows(self, failures: Path, engine: Engine, written: Mapping[int, Partition]) -> Counter[int]:
        """Fill the quarantine of each partition with its failing rows, whole; returns how many, by its number."""
        self._bind_checked(engine)
        engine.bind_files("failures", [str(failures)])
        names = list(self._types)
        query = queries.query("rows_failed", columns=", ".join(f"c.{name}" for name in names))
        own = arrow_schema(self._table.name)
        kinds = [own.field(name).type if name in own.names else pa.string() for name in names]
        schema = pa.schema([*_FAILURES.remove(0), *zip(names, kinds, strict=True)])
        rows: Counter[int] = Counter()
        with closing(engine.batches(query)) as batches, ExitStack() as open_files:
            writers: dict[int, pq.ParquetWriter] = {}
            for batch in batches:
                for number, found in _by_file(batch["file_number"].to_numpy(), np.arange(len(batch))):
                    if number not in writers:
                        open_files.close()  # the rows come in the order of the partitions
                        path = written[number].folder / _FILE
                        writers[number] = open_files.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))
                    part = pa.Table.from_batches([batch.slice(found[0], len(found))]).drop_columns("file_number")
                    writers[number].write_table(part.cast(schema))
                    rows[number] += len(found)
        failures.unlink()
        return rows

    def _for_warehouse(self, quarantine: Partition, database: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
        """The rows in quarantine of a partition as the warehouse lists them."""
        key = ", ".join(f"cast({column} as varchar)" for column in self._table.key)
        yield from database.sql(
            f"select file_row_number as row_number, concat_ws(' ', {key}) as row_key, failed, $path as lake_path "
            "from read_parquet($file)",
            params={"path": quarantine.location(_FILE), "file": str(quarantine.folder / _FILE)},
        ).to_arrow_reader(_BATCH_ROWS)


def _result(rule: Rule, rows: int, failed: int, examples: list[str] | None) -> dict[str, Any]:
    return {
        "expectation": rule.name,
        "column_name": rule.column,
        "severity": rule.severity,
        "success": not failed,
        "rows_checked": rows,
        "rows_failed": failed,
        "detail": {"examples": examples} if examples else {},
    }


def _total_result(rule: Rule, rows: int, difference: Total | None) -> dict[str, Any]:
    """A partition that does not tie to the source fails as a whole: no row of it is to blame."""
    detail = {"lake": difference.lake, "source": difference.source} if difference else {}
    return {**_result(rule, rows, 0, None), "success": difference is None, "detail": detail}


def _known(reference: Reference) -> str:
    """The view of the rows that a reference may lead to."""
    return f"known_{reference.name}"


def _since(reference: Reference) -> str:
    """The parameter for the first month in which a reference must lead somewhere."""
    return f"{reference.name}_since"


def _by_file(files: np.ndarray, positions: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Positions of rows, in order, by the number of the file that each row is from."""
    numbers, starts = np.unique(files[positions], return_index=True)
    yield from zip(map(int, numbers), np.split(positions, starts[1:]), strict=True)
