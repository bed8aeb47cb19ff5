"""Rows of the source straight into the lake, as extraction and validation leave them where nothing is wrong."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.lake import QUARANTINE, Lake, fact_key, integrity
from pipeline.month import RatingMonth
from pipeline.source.write import arrow_schema

Tables = dict[str, pa.Table]


def tables(**rows: list[dict]) -> Tables:
    """``tables(bills=[{...}], ...)`` in contract types; the tables a rating needs are there, empty or not."""
    names = ["customers", "bills", "payments", *rows]
    return {name: pa.Table.from_pylist(rows.get(name, []), arrow_schema(name)) for name in names}


def fill_lake(lake: Lake, tables: Tables, *snapshots: RatingMonth) -> None:
    """Facts by the month (UTC) in which they were recorded, and the customers of the months that are given."""
    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'")
        for name, rows in tables.items():
            if "recorded_at" in rows.column_names:
                database.register("rows", rows)
                for month in snapshots if name == "customers" else _recorded(database):
                    _write(lake, name, month, _known(database, name, month))


def linked(lake: Path, folder: Path, until: RatingMonth | None = None) -> Lake:
    """A lake of the same files, in which partitions may be added and replaced; without those of after ``until``."""

    def later(_: str, names: list[str]) -> list[str]:
        partitions = [name for name in names if "month=" in name]
        return [name for name in partitions if until and RatingMonth.parse(name.partition("=")[2]) > until]

    shutil.copytree(lake, folder, copy_function=os.link, ignore=later)
    return Lake(folder)


def reseal(lake: Lake, folder: Path | str, **changes: Any) -> None:
    """Make a partition (its folder, or its name) whole again, as if its writer had written the files that are there
    now, and ``changes``."""
    folder = lake.root / folder
    path = folder / integrity.MANIFEST
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["manifest_sha256"]
    document |= {
        "sha256": integrity.hash_opened(partial((folder / name).open, "rb") for name in document["files"])
    } | changes
    path.write_text(json.dumps(integrity.seal(document, folder.relative_to(lake.root).as_posix())), encoding="utf-8")


def quarantine(lake: Lake, table: str, month: RatingMonth, rows: Iterable[int]) -> None:
    """Make readers leave out these rows, by their place in the partition."""
    rows = list(rows)
    [file] = lake.files(table, **{fact_key(table): month})
    left_out = pq.read_table(file).take(rows).add_column(0, "file_row_number", pa.array(rows, pa.int64()))
    with lake.writing(QUARANTINE + table, **{fact_key(table): month}) as partition:
        pq.write_table(left_out, partition.folder / "part-0.parquet")
        partition.manifest(rows=len(left_out))


def _recorded(database: duckdb.DuckDBPyConnection) -> Iterator[RatingMonth]:
    [(first, last)] = database.sql("select min(recorded_at)::date, max(recorded_at)::date from rows").fetchall()
    return RatingMonth.span(RatingMonth.of(first), RatingMonth.of(last)) if first else iter(())


def _known(database: duckdb.DuckDBPyConnection, name: str, month: RatingMonth) -> pa.Table:
    since = "true" if name == "customers" else "recorded_at >= $since"
    latest = "qualify row_number() over (partition by customer_id order by recorded_at desc) = 1"
    query = f"select * from rows where recorded_at < $before and {since} {latest if name == 'customers' else ''}"
    bounds = {"before": month.cutoff("UTC")} | ({} if name == "customers" else {"since": (month - 1).cutoff("UTC")})
    return database.sql(query + " order by all", params=bounds).to_arrow_table()


def _write(lake: Lake, name: str, month: RatingMonth, rows: pa.Table) -> None:
    with lake.writing(name, **{fact_key(name): month}) as partition:
        pq.write_table(rows, partition.folder / "part-0.parquet")
        partition.manifest(rows=len(rows))
    with lake.writing(QUARANTINE + name, **{fact_key(name): month}) as partition:
        partition.manifest(rows=0)
