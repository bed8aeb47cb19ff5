"""Each partition that the step wrote, read by ADBC's COPY and written as Parquet, sorted by customer and key."""

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from benchmarks.floors import agree, connect


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from benchmarks.floors import texts
    from pipeline.database import libpq_uri

    parts = [
        {"name": f"{table.name} {manifest['recorded_before']}", "query": _query(table, manifest), "copy": copy}
        for table, manifest in _written(settings, step)
        for copy in [_copy(table, folder / f"{table.name} {manifest['recorded_before']}.parquet")]
    ]
    return texts.database(settings, policy, folder) | {"source": libpq_uri(settings.source), "parts": parts}


def run(given: dict[str, Any]) -> int:
    from adbc_driver_postgresql import dbapi

    with connect(given) as database, ThreadPoolExecutor(2) as pool:
        lanes: SimpleQueue = SimpleQueue()
        for _ in range(2):
            lanes.put((dbapi.connect(given["source"]), database.cursor()))

        def write(part: dict[str, str]) -> None:
            source, session = lane = lanes.get()
            with source.cursor() as cursor:
                cursor.execute(part["query"])
                session.register("incoming", cursor.fetch_record_batch())
                session.execute(part["copy"])
            lanes.put(lane)

        return len(list(pool.map(write, given["parts"])))


def compare(month, settings, policy, folder, step, made) -> int:
    from decimal import Decimal

    import duckdb

    partitions = 0
    for table, manifest in _written(settings, step):
        name = f"{table.name} {manifest['recorded_before']}"
        sums = "".join(f", coalesce(sum({column}), 0)" for column in table.money_columns)
        [(rows, *totals)] = duckdb.execute(
            f"select count(*){sums} from read_parquet($file)", {"file": str(folder / f"{name}.parquet")}
        ).fetchall()
        sums_of_ours = (Decimal(manifest["sums"][column]) for column in table.money_columns)
        agree(name, [rows, *totals], [manifest["rows"], *sums_of_ours])
        partitions += 1
    agree("partitions", made, partitions)
    return partitions


def _written(settings, step):
    """Table and manifest of the partitions of facts that the step wrote."""
    from pipeline.lake import Lake, fact_key
    from pipeline.source import contract

    lake = Lake.of(settings)
    for table in contract().values():
        for month in lake.facts(table.name):
            manifest = lake.manifest(table.name, **{fact_key(table.name): month})
            if manifest["written_at"] >= step["began"]:
                yield table, manifest


def _query(table, manifest: dict[str, Any]) -> str:
    from pipeline.source.read.query_text import read

    text = read(table, "postgresql")
    for bound in ("recorded_from", "recorded_before"):
        text = text.replace(f":{bound}", f"timestamptz '{manifest[bound]}'")
    return text


def _copy(table, path) -> str:
    columns = ", ".join(f"cast({column.name} as {column.sql_type}) as {column.name}" for column in table.lake_columns)
    by = ", ".join(dict.fromkeys(["customer_id", *table.key] if "customer_id" in table.column_names else table.key))
    return (
        f"copy (select {columns} from incoming order by {by}) to '{path}' "
        "(format parquet, compression zstd, row_group_size 50000)"
    )
