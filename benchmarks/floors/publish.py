"""CSV by COPY FREEZE into fresh tables, two at a time, and their keys."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.floors import agree, connect


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from sqlalchemy import text

    from benchmarks.floors import texts
    from pipeline.database import libpq_uri
    from pipeline.lake import Lake
    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.monthly_tables import TABLES

    lake, tables = Lake.of(settings), {}
    with transaction(settings) as connection:
        connection.execute(text("drop schema if exists floor cascade"))
        connection.execute(text("create schema floor"))
    indices = sorted(policy.indices)
    for name, table in TABLES.items():
        columns = list(table.columns(indices))
        selected = ", ".join(columns)
        if table.has_indices:
            columns.append("missing_indices")
            selected += f", {_missing(policy)} as missing_indices"
        files = texts.file_list(lake.files(table.partition, rating_month=month, basis="as_known_then"))
        tables[name] = {
            "read": f"select {selected} from read_parquet({files}) order by {', '.join(table.key)}",
            "columns": ", ".join(columns),
            "key": f"rating_month, {', '.join(table.key)}",
        }
    return texts.database(settings, policy, folder) | {
        "warehouse": libpq_uri(settings.warehouse),
        "month": str(month.first_day),
        "publication": step["result"]["publication_id"],
        "tables": tables,
    }


def _missing(policy) -> str:
    """The codes of a customer's missing indices, of those that are for his family, as PostgreSQL writes an array."""
    codes = []
    for name, index in sorted(policy.indices.items(), key=lambda item: item[1].code):
        families = "".join(f" and family in ({', '.join(map(repr, index.families))})" if index.families else "")
        codes.append(f"case when {name}_missing{families} then '{index.code}' end")
    return f"'{{' || concat_ws(',', {', '.join(codes)}) || '}}'"


def run(given: dict[str, Any]) -> None:
    import psycopg
    from pyarrow import BufferOutputStream, csv

    without_header = csv.WriteOptions(include_header=False)

    def load(item: tuple[str, dict[str, str]]) -> None:
        name, table = item
        with psycopg.connect(given["warehouse"]) as warehouse, database.cursor() as session:
            warehouse.execute(f"create table floor.{name} (like rating.{name})")
            warehouse.execute(
                f"alter table floor.{name} alter rating_month set default '{given['month']}', "
                f"alter publication_id set default '{given['publication']}'"
            )
            copy_in = f"copy floor.{name} ({table['columns']}) from stdin (format csv, freeze)"
            with warehouse.cursor().copy(copy_in) as copy:
                for batch in session.sql(table["read"]).to_arrow_reader(100_000):
                    block = BufferOutputStream()
                    csv.write_csv(batch, block, without_header)
                    copy.write(memoryview(block.getvalue()))
            warehouse.execute(f"alter table floor.{name} add primary key ({table['key']})")

    with connect(given) as database, ThreadPoolExecutor(2) as pool:
        list(pool.map(load, given["tables"].items()))


def compare(month, settings, policy, folder, step, made) -> dict[str, int]:
    """Rows, and a hash of all values whatever their order."""
    from sqlalchemy import text

    from pipeline.warehouse import publications, revisions
    from pipeline.warehouse.connection import transaction

    counted = {}
    with transaction(settings) as connection:
        columns = text(
            "select string_agg(format(case atttypid when 'json'::regtype then '%I::text' else '%I' end, attname), ', ' "
            "order by attname) from pg_attribute where attrelid = cast(:name as regclass) and attnum > 0"
        )
        for table, staged in revisions.tables(publications.of_month(connection, month)).items():
            listed = connection.execute(columns, {"name": f"floor.{table}"}).scalar_one()
            hashed = f"select count(*), sum(hashint8extended(hash_record_extended(row({listed}), 0), 0))"
            floor, ours = (
                list(connection.execute(text(f"{hashed} from {name}")).one())
                for name in (f"floor.{table}", f"rating.{staged}")
            )
            agree(table, floor, ours)
            counted[table] = floor[0]
        connection.execute(text("drop schema floor cascade"))
    return counted
