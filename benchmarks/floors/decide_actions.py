"""The measures as one query on the lake as it lies, one load into a temporary table and one insert, and the month's
figures. Nothing is there yet to compare with, and ids are an md5 of what the action is for."""

from typing import Any

from benchmarks.floors import agree, connect

# Views of the measures and the query of each, in the order in which they read each other.
INPUTS = {
    "in_arrears": "select * from debts",
    "managers": "select * from manager_assignments",
    "protected": "select * from protections",
    "compared": "select * from arrears_compared",
    "money": "select * from month_receivables",
}
FIGURES = {
    "account_managers": "select * from managers",
    "receivables": "select * from receivables_by_segment",
    "service_levels": "select * from service_levels",
    "arrears_reconciliation": "select * from reconciled_by_segment",
    "arrears_differences": "select * from compared where outcome <> 'agree'",
}
ACCOUNTS = ("credited", "bill_status")
EVERY_MEASURE = ("customer_id", "subject", "reason")


def prepare(month, settings, policy, folder, step) -> dict[str, Any]:
    from sqlalchemy import text

    from benchmarks.floors import texts
    from pipeline.actions.measures import decision_inputs
    from pipeline.customers.parameters import parameters
    from pipeline.database import libpq_uri
    from pipeline.engine.duckdb import DuckDBEngine
    from pipeline.engine.queries import compose
    from pipeline.lake import Lake
    from pipeline.warehouse import publications
    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.statements import statement

    lake, views = Lake.of(settings), texts.facts(month, settings, policy, folder)
    with DuckDBEngine(settings) as engine:
        for name, table in decision_inputs.policy_tables(policy, month).items():
            engine.bind_table(name, table)
            texts.keep(engine, name, folder)
        for name in ACCOUNTS:
            engine.bind_files(name, lake.files(name, rating_month=month, basis="as_known_then"))
        views += texts.views(engine)
    with transaction(settings) as connection:
        publication = publications.of_month(connection, month).publication_id
        connection.execute(text("drop schema if exists floor cascade"))
        connection.execute(text("create schema floor"))
        connection.execute(text("create table floor.service_actions (like ops.service_actions including all)"))
    bound = parameters(policy, month) | decision_inputs.parameters(policy, month)
    first_day = f"date '{month.first_day}'"

    def query(wanted: str) -> str:
        return texts.with_values(compose(wanted, ACCOUNTS), bound)

    return texts.database(settings, policy, folder) | {
        "views": views,
        "warehouse": libpq_uri(settings.warehouse),
        "rated": statement("measures/rated", consumption_trend="i.consumption_trend").replace("$1", first_day),
        "managed_before": statement("measures/managed_before").replace("$1", first_day),
        "inputs": {name: query(wanted) for name, wanted in INPUTS.items()},
        "actions": query(" union all ".join(_measure(name, policy) for name in _measures(policy))),
        "insert": f"""
            insert into floor.service_actions (
                action_id, rating_month, customer_id, action_type, reason, payload, status, blocked_by, run_kind,
                publication_id
            )
            select
                cast(action_id as uuid), {first_day}, customer_id, action_type, reason, cast(payload as jsonb),
                case when blocked_by is null then 'proposed' else 'blocked' end, blocked_by, 'command', '{publication}'
            from decided""",
        "figures": {name: query(wanted) for name, wanted in FIGURES.items()},
    }


def _measures(policy) -> list[str]:
    from pipeline.actions.measures import measure_queries

    return [name for name in measure_queries.names(policy) if name in policy.measures.sections()]


def _measure(name: str, policy) -> str:
    """The actions of a measure with their ids; what the query returns beside every measure's columns is the payload."""
    from pipeline.engine import queries

    fields = [column for column in queries.columns(name) if column not in EVERY_MEASURE]
    payload = ", ".join(f"'{field}': m.{field}" for field in fields)
    guarded = "true" if name in policy.measures.protection.blocks else "false"
    return (
        f"select cast(md5('{name} ' || m.customer_id || ' ' || m.subject) as varchar) as action_id, "
        f"'{name}' as action_type, m.customer_id, m.reason, cast(to_json({{{payload}}}) as varchar) as payload, "
        f"p.blocked_by from {name} as m left join protected as p on p.customer_id = m.customer_id and {guarded}"
    )


def run(given: dict[str, Any]) -> dict[str, list[int]]:
    from adbc_driver_postgresql import dbapi

    with connect(given) as database, dbapi.connect(given["warehouse"]) as warehouse, warehouse.cursor() as cursor:
        for name in ("rated", "managed_before"):
            cursor.execute(given[name])
            database.register(name, cursor.fetch_arrow_table())
        for name, query in given["inputs"].items():
            database.execute(f"create temp table {name} as {query}")
        cursor.adbc_ingest("decided", database.sql(given["actions"]).to_arrow_reader(100_000), temporary=True)
        cursor.execute(given["insert"])
        for name, query in given["figures"].items():
            rows = database.sql(query).to_arrow_reader(100_000)
            cursor.adbc_ingest(name, rows, db_schema_name="floor")
        cursor.execute("select action_type, count(*), count(blocked_by) from decided group by action_type")
        made = {name: counts for name, *counts in cursor.fetchall()}
        warehouse.commit()
    return made


def compare(month, settings, policy, folder, step, made) -> dict[str, int]:
    """The actions of each type, those that a protection blocks, and the figures' money."""
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction

    decided, blocked = (step["result"][name] for name in ("decided", "blocked"))
    ours = {name: [number, blocked.get(name, 0)] for name, number in decided.items() if number}
    agree("actions and blocked actions of each measure", dict(sorted(made.items())), dict(sorted(ours.items())))
    with transaction(settings) as connection:
        money = "coalesce(sum(billed + collected + receivable + overdue), 0) from"
        of_floor = connection.execute(text(f"select {money} floor.receivables")).scalar_one()
        of_ours = connection.execute(
            text(f"select {money} ops.receivables where rating_month = :month"), {"month": month.first_day}
        ).scalar_one()
        agree("receivables", float(of_floor), float(of_ours))
        connection.execute(text("drop schema floor cascade"))
    return decided
