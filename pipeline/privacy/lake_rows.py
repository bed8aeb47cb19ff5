"""Customers' rows leave the partitions of the lake, which stay what others know them as.

Facts and the quarantine that lies over them by row number are changed together: the old quarantine goes first, so that
a run which is broken off leaves a partition that counts as not validated, and never one with the wrong rows left out.
"""

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import text

from pipeline.engine.parquet import literal
from pipeline.ingest.erased_rows import LeftOut, customer_sha256, leave_out
from pipeline.lake import QUARANTINE, Lake, Partition, fact_key
from pipeline.privacy.holdings import Holding
from pipeline.publishing import lake_copy
from pipeline.settings import Settings
from pipeline.source import table as contracted
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

_QUARANTINED = (
    "from read_parquet($file, hive_partitioning = false) as q left join gone on gone.place = q.file_row_number"
)
_NEW_PLACE = (
    "case when gone.place is null then q.file_row_number - "
    "(select count(*) from gone as before where before.place < q.file_row_number) end"
)


class LakeRows:
    """Leaves ``customers`` out of partitions."""

    def __init__(self, settings: Settings, lake: Lake, database: duckdb.DuckDBPyConnection, customers: Collection[str]):
        self._settings, self._lake, self._database = settings, lake, database
        self._erased = [customer_sha256(name) for name in customers]

    def erase(self, found: Iterable[Holding]) -> None:
        """The copy of a published month is left alone: it is made again from the warehouse."""
        for part in found:
            if part.table == lake_copy.COPY or part.table.startswith(QUARANTINE):
                continue
            if part.is_fact:
                self._erase_facts(part)
            else:
                self._erase_derived(part)

    def _erase_derived(self, part: Holding) -> None:
        manifest = self._lake.manifest(part.table, **part.keys)
        with self._lake.rewriting(part.partition) as partition:
            left_out = sum(self._without(file, partition).rows for file in part.files)
            counted: dict[str, Any] = {
                name: manifest[name] - left_out for name in ("rows", "population") if name in manifest
            }
            _describe(partition, manifest, counted)

    def _erase_facts(self, part: Holding) -> None:
        manifest = self._lake.manifest(part.table, **part.keys)
        name = self._lake.name(QUARANTINE + part.table, **part.keys)
        with ExitStack() as staged:
            quarantine = None
            if self._lake.has(QUARANTINE + part.table, **part.keys):
                self._lake.check(name)
                quarantine = staged.enter_context(self._lake.rewriting(name))
                self._stage_quarantine(part, quarantine)
            with self._lake.rewriting(part.partition) as partition:
                [file] = part.files
                left_out = self._without(file, partition, contracted(part.table).money_columns)
                changed: dict[str, Any] = {}
                for rows, sums in (("rows", "sums"), ("source_rows", "source_sums")):
                    if rows in manifest:
                        changed |= {rows: manifest[rows] - left_out.rows, sums: left_out.less(manifest[sums])}
                _describe(partition, manifest, changed)
                if quarantine:
                    quarantine.withdraw()

    def _without(self, file: str, partition: Partition, money: tuple[str, ...] = ()) -> LeftOut:
        copy = partition.folder / Path(file).name
        self._lake.copy(file, copy)
        return leave_out(self._database, copy, self._erased, money)

    def _stage_quarantine(self, part: Holding, partition: Partition) -> None:
        """The rows that stay in quarantine, by their new places; the warehouse has them first."""
        name = QUARANTINE + part.table
        manifest = self._lake.manifest(name, **part.keys)
        self._database.execute(
            "create or replace temp table gone as select file_row_number as place "
            "from read_parquet($file, hive_partitioning = false, file_row_number = true) "
            "where sha256(customer_id) in (select unnest($erased))",
            {"file": part.files[0], "erased": self._erased},
        )
        places: list[tuple[int, int | None]] = []
        for file in self._lake.files(name, **part.keys):
            bound = {"file": file}
            places += self._database.execute(f"select file_row_number, {_NEW_PLACE} {_QUARANTINED}", bound).fetchall()
            if any(new is not None for _, new in places):
                kept = f"select {_NEW_PLACE} as file_row_number, q.* exclude (file_row_number) {_QUARANTINED}"
                target = literal(partition.folder / Path(file).name)
                self._database.execute(
                    f"copy (select * from ({kept}) where file_row_number is not null order by 1) to {target} "
                    "(format parquet, compression zstd)",
                    bound,
                )
        self._tell_warehouse(part, places)
        changed: dict[str, Any] = {"rows": sum(new is not None for _, new in places)}
        if "checked" in manifest:
            [(gone,)] = self._database.execute("select count(*) from gone").fetchall()
            changed["checked"] = manifest["checked"] - gone
        if "results" in manifest:
            changed["results"] = [_without_examples(each) for each in manifest["results"]]
        _describe(partition, manifest, changed)

    def _tell_warehouse(self, part: Holding, places: list[tuple[int, int | None]]) -> None:
        """ops.quarantine as the lake will have it. Where it is so already, a run that was broken off has told it."""
        month = part.keys[fact_key(part.table)]
        bound = {"table_name": part.table, "recorded_month": month.first_day}
        own = "table_name = :table_name and recorded_month = :recorded_month"
        with transaction(self._settings) as connection:
            listed = set(connection.scalars(text(f"select row_number from ops.quarantine where {own}"), bound))
            if listed == {old for old, _ in places}:
                connection.execute(
                    text(f"delete from ops.quarantine where {own} and row_number = any(:gone)"),
                    bound | {"gone": [old for old, new in places if new is None]},
                )
                kept = [(old, new) for old, new in places if new is not None]
                old, new = zip(*kept, strict=True) if kept else ((), ())
                connection.execute(
                    text(statement("privacy/renumber_quarantine")), bound | {"old": list(old), "new": list(new)}
                )
                connection.execute(
                    text(f"update ops.quarantine set row_number = -1 - row_number where {own} and row_number < 0"),
                    bound,
                )
            connection.execute(
                text(f"update ops.validation_results set detail = detail - 'examples' where {own}"), bound
            )


def _describe(partition: Partition, manifest: dict[str, Any], changed: dict[str, Any]) -> None:
    """The manifest as it was but for what is counted, and for what sealing says anew."""
    sealed = {"files", "files_sha256", "marks", "written_at", "partition", "manifest_sha256"}
    kept = {name: value for name, value in manifest.items() if name not in sealed}
    partition.manifest(**kept | changed)


def _without_examples(result: dict[str, Any]) -> dict[str, Any]:
    detail = {name: value for name, value in result["detail"].items() if name != "examples"}
    return {**result, "detail": detail}
