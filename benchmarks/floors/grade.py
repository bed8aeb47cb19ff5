"""One COPY of one query: models, scale, rules and reasons as SQL, on the indices and what was published before.

The step, too, grades by one generated query. By hand it could only be written out again, so it is the same text, run by
a bare DuckDB.
"""

from typing import Any

from benchmarks.floors import agree, connect, silent, write

NOBODY = "select '' as customer_id, '' as override_grade, '' as veto_grade where false"


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from benchmarks.floors import texts
    from pipeline.database import libpq_uri
    from pipeline.grading.grade_query import grade_query
    from pipeline.lake import Lake
    from pipeline.models.in_force import fitted
    from pipeline.warehouse import model_registry

    named = {family: model_registry.model(settings, name) for family, name in step["result"]["models"].items()}
    query = grade_query(month, {family: (model.version, fitted(model)) for family, model in named.items()}, policy)
    files = Lake.of(settings).files("indices", rating_month=month, basis="as_known_then")
    return texts.database(settings, policy, folder) | {
        "warehouse": libpq_uri(settings.warehouse),
        "previous": "select customer_id, grade from rating.credit_grades "
        "where rating_month = "
        f"(select max(rating_month) from ops.publications where rating_month < '{month.first_day}')",
        "views": [
            f"create view indices as select * from read_parquet({texts.file_list(files)})",
            f"create view decided as {NOBODY}",
        ],
        "query": texts.with_values(query, {}),
    }


def run(given: dict[str, Any]) -> int:
    from adbc_driver_postgresql import dbapi

    with connect(given) as database, dbapi.connect(given["warehouse"]) as warehouse, warehouse.cursor() as cursor:
        cursor.execute(given["previous"])
        database.register("previous", cursor.fetch_arrow_table())
        return write(database, given["query"], f"{given['folder']}/grades.parquet")


def compare(month, settings, policy, folder, step, made) -> int:
    """Every value of every customer, to the bit."""
    from benchmarks.floors.texts import file_list
    from pipeline.lake import Lake

    files = Lake.of(settings).files("grades", rating_month=month, basis="as_known_then")
    ours = f"from read_parquet({file_list(files)}, hive_partitioning = false)"
    floor = f"from read_parquet('{folder}/grades.parquet')"
    with silent() as database:
        [(rows,)] = database.execute(f"select count(*) {ours}").fetchall()
        [(differing,)] = database.execute(
            f"select count(*) from (({ours} except all {floor}) union all ({floor} except all {ours}))"
        ).fetchall()
    agree("customers", made, rows)
    agree("rows that differ", differing, 0)
    return rows
