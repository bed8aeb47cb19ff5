"""``gridgrade demo``: a sample utility, rated month by month through Airflow's own scheduler, in databases of its own.

Everything lies under GRIDGRADE_HOME. A second run finds the sample, rates the same months again and changes nothing.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from sqlalchemy import inspect, text

from pipeline.database import connect
from pipeline.errors import ConfigError
from pipeline.local import airflow as local_airflow
from pipeline.local.airflow_client import AirflowApi
from pipeline.local.databases import with_databases
from pipeline.month import RatingMonth
from pipeline.settings import Settings

LAST_MONTH = RatingMonth(2026, 10)
NOTIFY_AT = datetime(2026, 10, 16, 8, tzinfo=UTC)  # the notices are written as of this instant
UI_PORT = 8080
RUN_SECONDS = 3600

_GRADES = text("""
select p.grade, sum(p.customers) as customers
from report.portfolio_summary as p
where p.rating_month = :month
group by p.grade
""")
_ACTIONS = text("""
select action_type, status, count(*) as actions, count(*) filter (where blocked_by is not null) as blocked
from ops.service_actions
group by action_type, status
order by action_type, status
""")
_NOTICES = text("""
select
    n.outage_id,
    to_char(n.starts_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as starts_at,
    cast(min(n.hours_ahead) as float8) as hours_ahead,
    count(*) as customers,
    count(*) filter (where a.status in ('dispatched', 'acknowledged')) as notified
from ops.outage_notices as n
inner join ops.service_actions as a on a.action_id = n.action_id
group by n.outage_id, n.starts_at
order by n.starts_at, n.outage_id
""")
_REBATES = text("""
select count(*) as customers, coalesce(sum(r.rebate), 0) as rebate
from ops.arrears_rebates as r
where r.rating_month = :month and r.rebate > 0
""")


def run(
    settings: Settings,
    *,
    customers: int = 2000,
    months_of_history: int = 36,
    rate_last: int = 3,
    echo: Callable[[str], None] = lambda line: None,
) -> dict:
    """Rate the last months of the sample utility; what came out, JSON-safe:

    ``{"months": {month: {"changed", "grades": {grade: customers}, "rebates", "rebate_amount"}}, "actions": [{type,
    status, number}], "outage_notices": [{outage, start, hours ahead, customers, notified}], "data_docs", "logs",
    "home", "seconds"}``. ConfigError where the home holds something else, AirflowError with the failed task's own line.
    """
    started = time.monotonic()
    settings = _own_databases(settings, echo)
    _prepare_sample(settings, customers, months_of_history, echo)
    _prepare_warehouse(settings, echo)
    months = RatingMonth.span(LAST_MONTH - (rate_last - 1), LAST_MONTH)
    with local_airflow.running(settings, echo=echo) as airflow:
        airflow.give_up_unfinished()
        outcome = {str(month): _rate(airflow, month, settings, echo) for month in months}
        _notify_outages(airflow, settings, echo)
        echo("stopping Airflow")
    return {
        "months": outcome,
        "actions": _rows(settings, _ACTIONS),
        "outage_notices": _rows(settings, _NOTICES),
        "data_docs": str(settings.data_docs_path / "index.html"),
        "logs": str(settings.home / "logs"),
        "home": str(settings.home),
        "seconds": round(time.monotonic() - started, 1),
    }


def show(summary: dict, console: Console) -> None:
    """The outcome as a table, and where to look next."""
    months = summary["months"]
    grades = {grade: None for month in months.values() for grade in month["grades"]}
    table = Table(title="Customers by grade, from Airflow's scheduler")
    table.add_column("rating month")
    for grade in grades:
        table.add_column(grade, justify="right")
    table.add_column("rebates proposed", justify="right")
    table.add_column("publication")
    for name, month in months.items():
        counts = [f"{month['grades'].get(grade, 0):,}" for grade in grades]
        rebates = f"{month['rebates']:,} ({month['rebate_amount']})"
        table.add_row(name, *counts, rebates, "new" if month["changed"] else "unchanged")
    console.print(table)
    if not any(month["changed"] for month in months.values()):
        console.print("Nothing changed: these months were published already, with the same content.")
    actions = Table(title="Actions in the outbox")
    for heading in ("type", "status", "actions"):
        actions.add_column(heading, justify="right" if heading == "actions" else "left")
    for row in summary["actions"]:
        actions.add_row(row["action_type"], row["status"], f"{row['actions']:,}")
    console.print(actions)
    for row in summary["outage_notices"]:
        console.print(
            f"outage      {row['outage_id']} starts {row['starts_at']} UTC: "
            f"{row['notified']} of {row['customers']} customers notified, {row['hours_ahead']:g} hours ahead",
            soft_wrap=True,
        )
    console.print(f"validation  {summary['data_docs']}", soft_wrap=True)
    console.print(f"task logs   {summary['logs']}", soft_wrap=True)
    console.print("next        make up: Airflow's own pages, and the console under Gridgrade in them", soft_wrap=True)
    console.print(f"            .venv/bin/gridgrade grades {next(reversed(months))}", soft_wrap=True)


def up(settings: Settings, echo: Callable[[str], None] = print) -> None:
    """Airflow with its UI, until it is interrupted; the databases of the home run as long."""
    settings = with_databases(settings)
    echo(f"billing system: {settings.source!r}")
    _prepare_warehouse(settings, echo)
    port = local_airflow.free_port(UI_PORT)
    with local_airflow.running(settings, port=port, echo=echo) as airflow:
        password = local_airflow.password_file(settings)
        echo(f"Airflow: {airflow.url}, user admin, password in {password}; Ctrl-C or make down stops it")
        echo(f"the console: {airflow.url}/plugin/gridgrade")
        while True:
            airflow.check()
            time.sleep(1)


def down(settings: Settings) -> None:
    """Stop the Airflow and the PostgreSQL of this home, whoever started them."""
    from pipeline.local.postgres import EmbeddedPostgres

    local_airflow.stop(settings)
    EmbeddedPostgres.stop(settings.home / "postgres")


def _own_databases(settings: Settings, echo: Callable[[str], None]) -> Settings:
    """The settings with the embedded databases; ConfigError where others are named, which the demo would write to."""
    if settings.source_url or settings.warehouse_url or settings.lake:
        raise ConfigError(
            "the demo keeps to databases and a lake of its own: "
            "unset GRIDGRADE_SOURCE_URL, GRIDGRADE_WAREHOUSE_URL and GRIDGRADE_LAKE"
        )
    echo("starting PostgreSQL")
    return with_databases(settings)


def _prepare_sample(settings: Settings, customers: int, months: int, echo: Callable[[str], None]) -> None:
    """Fill the embedded source, unless it holds this very sample; never write over anything else."""
    from pipeline.sample.utility import Utility
    from pipeline.source.write import replace_tables

    sample = {"customers": customers, "months": months, "last": str(LAST_MONTH)}
    kept = settings.home / "sample.json"
    before = json.loads(kept.read_text()) if kept.exists() else None
    filled = inspect(connect(settings.source_owner)).has_table("customers")
    if filled and before == sample:
        return
    if filled:
        held = f"a sample of {before['customers']:,} customers over {before['months']} months" if before else "records"
        raise ConfigError(
            f"{settings.home} holds {held} already, and what was made from them: "
            "name an empty folder in GRIDGRADE_HOME for the demo, or remove this one"
        )
    echo(f"making a utility of {customers:,} customers and {months} months")
    kept.write_text(json.dumps(sample))
    replace_tables(settings.source_owner, Utility(customers, months, LAST_MONTH).batches())


def _prepare_warehouse(settings: Settings, echo: Callable[[str], None]) -> None:
    from pipeline.warehouse.migrations import migrate

    echo("migrating the warehouse")
    migrate(settings)


def _rate(airflow: AirflowApi, month: RatingMonth, settings: Settings, echo: Callable[[str], None]) -> dict:
    """One month through both DAGs."""
    name = str(month)
    earlier = set(airflow.run_ids("service_actions", name))

    def follow(dag_id: str, run_id: str) -> None:
        airflow.wait(dag_id, run_id, RUN_SECONDS, lambda tasks: echo(f"{name}: {_progress(tasks)}"))

    rating = airflow.trigger("credit_rating", name)
    follow("credit_rating", rating)
    follow("service_actions", airflow.wait_for_run("service_actions", name, earlier))
    return {"changed": airflow.result("credit_rating", rating, "publish")["changed"], **_published(month, settings)}


def _notify_outages(airflow: AirflowApi, settings: Settings, echo: Callable[[str], None]) -> None:
    """Notices as of a moment within the last month; what a run by hand decides is let go as a person would."""
    from pipeline.actions.outbox import approval, dispatch
    from pipeline.policy import Policy

    run = airflow.trigger("outage_notices", None, at=NOTIFY_AT.isoformat())
    airflow.wait("outage_notices", run, RUN_SECONDS, lambda tasks: echo(f"outages: {_progress(tasks)}"))
    policy = Policy.load(settings.policy)
    approval.approve(settings, policy, approval.Chosen(action_type="outage_notice"), "demo")
    dispatch.dispatch(settings, policy)


def _rows(settings: Settings, query) -> list[dict]:
    with connect(settings.warehouse).connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _progress(tasks: dict[str, dict]) -> str:
    """A run's progress as text."""
    now = [name for name, task in tasks.items() if task["state"] == "running"]
    again = [
        f"{name} failed and will be tried again" for name, task in tasks.items() if task["state"] == "up_for_retry"
    ]
    done = sum(task["state"] in ("success", "skipped") for task in tasks.values())
    return f"{', '.join(now + again) or 'waiting for the scheduler'}, {done} of {len(tasks)} tasks done"


def _published(month: RatingMonth, settings: Settings) -> dict:
    """What the warehouse holds of a month now."""
    from pipeline.policy import Policy

    order = Policy.load(settings.policy).grades.names
    with connect(settings.warehouse).connect() as connection:
        counts: dict[str, int] = dict(connection.execute(_GRADES, {"month": month.first_day}).tuples().all())
        rebates = connection.execute(_REBATES, {"month": month.first_day}).one()
    return {
        "grades": {grade: int(counts.get(grade, 0)) for grade in order},
        "rebates": rebates.customers,
        "rebate_amount": str(Decimal(rebates.rebate)),
    }
