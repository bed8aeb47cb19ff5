"""The same SQL on integers in place of the ids of customers, bills and payments, range after range as the step does it.

The dictionary and the records with its numbers are made by ``prepare``, and are not in the figures.
"""

import re
from pathlib import Path
from typing import Any

from benchmarks.floors import agree, connect, silent, write

# The columns that hold each kind of id.
KINDS = {
    "customer": ("customer_id",),
    "bill": ("bill_id", "cancels_bill_id"),
    "payment": ("payment_id", "reverses_payment_id"),
}
AT_ONCE = 125_000
# What the queries say of an id as a text, and what they say of a number. Credits keep their order: first the credit
# notes, then the opening balance, then the payments.
AS_NUMBERS = (
    (r"NULLIF\(CASE WHEN .*? THEN TRIM\((\w+\.bill_id)\) ELSE \w+\.bill_id END, ''\)", r"\1"),
    (r"TRIM\((CASE WHEN t\.payment_id IS NULL THEN p\.bill_id ELSE t\.bill_id END)\)", r"\1"),
    (r"'' AS bill_id", "-1 AS bill_id"),
    (r"bill_id <> ''", "bill_id <> -1"),
    (r"'credit note ' \|\| bill_id", "bill_id"),
    (r"'opening balance' AS credit_id", f"{2**40} AS credit_id"),
    (r"'payment ' \|\| ((?:\w+\.)?payment_id)", rf"{2**40 + 1} + \1"),
)


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from benchmarks.floors import texts
    from pipeline.customers.accounts import FACTS, GIVEN
    from pipeline.customers.index_query import indices_query
    from pipeline.customers.index_values import rule_facts, with_empty_windows
    from pipeline.customers.parameters import parameters
    from pipeline.engine.queries import compose
    from pipeline.lake import Lake
    from pipeline.lake.known_records import KnownRecords

    views, bound = texts.facts(month, settings, policy, folder), parameters(policy, month)

    def on_numbers(query) -> str:
        text = texts.with_values(query, with_empty_windows(bound, query))
        for of_text, of_number in AS_NUMBERS:
            text = re.sub(of_text, of_number, text)
        return text

    given = texts.database(settings, policy, folder) | {"views": views}
    customers = _write_numbered(given, folder)
    known = KnownRecords(Lake.of(settings), policy, month)
    return given | {
        "numbered": {path.stem: str(path) for path in sorted(folder.glob("numbered/*.parquet"))},
        "ranges": [[first, first + AT_ONCE] for first in range(0, customers, AT_ONCE)],
        "slopes": on_numbers(compose("select * from satisfaction_slope_by_segment")),
        "stages": [[name, on_numbers(compose(f"select * from {name}", FACTS[:at]))] for at, name in enumerate(FACTS)],
        "not_read_again": sorted(set(FACTS) - set(GIVEN)),
        "indices": on_numbers(indices_query(policy, policy.indices, known.absent, rule_facts(), GIVEN)),
    }


def _write_numbered(given: dict[str, Any], folder: Path) -> int:
    """The dictionaries, and every table that has ids with numbers in their place, each month sorted by customer as in
    the lake; how many customers there are."""
    (folder / "numbered").mkdir()
    with connect(given) as database:
        held: dict[str, list[str]] = {}
        for table, column in database.execute(
            "select table_name, column_name from information_schema.columns order by table_name, ordinal_position"
        ).fetchall():
            held.setdefault(table, []).append(column)
        for kind, names in KINDS.items():
            ids = " union ".join(f"select {n} as id from {t}" for t, has in held.items() for n in names if n in has)
            file = _dictionary(folder, kind)
            database.execute(
                f"copy (select id from ({ids}) where id is not null order by id) to '{file}' (format parquet)"
            )
            database.execute(
                f"create view {kind}_ids as select id, file_row_number as number "
                f"from read_parquet('{file}', file_row_number = true)"
            )
        for table, columns in held.items():
            found = [(name, kind) for kind, names in KINDS.items() for name in names if name in columns]
            joins = " ".join(f"left join {kind}_ids as of_{name} on of_{name}.id = t.{name}" for name, kind in found)
            numbers = ", ".join(f"of_{name}.number as {name}" for name, _ in found)
            by = "date_trunc('month', t.recorded_at), " if "recorded_at" in columns else ""
            if found:
                database.execute(
                    f"copy (select t.* replace ({numbers}) from {table} as t {joins} "
                    f"order by {by}of_customer_id.number) to '{folder}/numbered/{table}.parquet' "
                    "(format parquet, compression zstd, row_group_size 50000)"
                )
        [(customers,)] = database.execute("select count(*) from customer_ids").fetchall()
    return customers


def _dictionary(folder: Path, kind: str) -> Path:
    return folder / f"{kind}_ids.parquet"


def run(given: dict[str, Any]) -> int:
    rows = 0
    with connect(given) as database:

        def bind(condition: str = "true") -> None:
            for name, file in given["numbered"].items():
                read = f"select * from read_parquet('{file}') where {condition}"
                database.execute(f"create or replace view {name} as {read}")

        bind()
        database.execute(f"create temp table segment_slopes as {given['slopes']}")
        for number, (first, end) in enumerate(given["ranges"]):
            bind(f"customer_id >= {first} and customer_id < {end}")
            for name, query in given["stages"]:
                database.execute(f"create or replace temp table {name} as {query}")
            for name in given["not_read_again"]:
                database.execute(f"drop table {name}")
            rows += write(database, given["indices"], f"{given['folder']}/indices-{number:04d}.parquet")
    return rows


def compare(month, settings, policy, folder, step, made) -> dict[str, int]:
    """Every value of every customer, doubles to 1e-9."""
    from benchmarks.floors.texts import file_list
    from pipeline.lake import Lake

    ours = file_list(Lake.of(settings).files("indices", rating_month=month, basis="as_known_then"))
    with silent() as database:
        database.execute(f"create view ours as select * from read_parquet({ours}, hive_partitioning = false)")
        database.execute(
            "create view floor as select f.* replace (d.id as customer_id) "
            f"from read_parquet('{folder}/indices-*.parquet') as f inner join "
            f"read_parquet('{_dictionary(folder, 'customer')}', file_row_number = true) as d "
            "on d.file_row_number = f.customer_id"
        )
        columns = database.execute("select column_name, column_type from (describe ours)").fetchall()
        differs = {
            name: f"abs(f.{name} - o.{name}) > 1e-9 * greatest(1, abs(o.{name}))"
            f" or (f.{name} is null) <> (o.{name} is null)"
            if kind == "DOUBLE"
            else f"f.{name} is distinct from o.{name}"
            for name, kind in columns
            if name != "customer_id"
        }
        counts = ", ".join(f"count(*) filter (where {condition})" for condition in differs.values())
        [(rows, *found)] = database.execute(
            f"select count(*), {counts} from ours as o inner join floor as f using (customer_id)"
        ).fetchall()
    agree("customers", [made, rows], [step["result"]["customers"]] * 2)
    agree("columns that differ", {n: rows for n, rows in zip(differs, found, strict=True) if rows}, {})
    return {"customers": rows, "columns": len(columns)}
