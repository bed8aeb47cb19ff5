"""``gridgrade demo``: a sample utility, rated month by month through Airflow's own scheduler, in databases of its own.

Everything lies under GRIDGRADE_HOME. A second run finds the sample, rates the same months again and changes nothing.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import inspect, text

from pipeline.cycle import Advance, Progress, unseen
from pipeline.database import connect
from pipeline.errors import ConfigError
from pipeline.local import airflow as local_airflow
from pipeline.local.airflow_client import AirflowApi
from pipeline.local.databases import reader_address, with_databases
from pipeline.month import RatingMonth
from pipeline.report.report import file_name
from pipeline.settings import Settings
from pipeline.warehouse.statements import statement

LAST_MONTH = RatingMonth(2026, 10)
NOTIFY_AT = datetime(2026, 10, 16, 8, tzinfo=UTC)  # the notices are written as of this instant
UI_PORT = 8080
CONSOLE_PATH = "/plugin/gridgrade"
RUN_SECONDS = 3600
# About how long a run of a DAG takes, for the time left: in steps of preparing.
_COUNTS_AS = {"credit_rating": 12, "service_actions": 4, "outage_notices": 2}


def run(
    settings: Settings,
    *,
    customers: int = 2000,
    months_of_history: int = 36,
    rate_last: int = 3,
    advance: Advance = unseen,
) -> dict:
    """Rate the last months of the sample utility; what came out, JSON-safe:

    ``{"months": {month: {"changed", "grades": {grade: customers}, "rebates", "rebate_amount"}}, "actions": [{type,
    status, number}], "outage_notices": [{outage, start, hours ahead, customers, notified}], "report", "console",
    "warehouse", "data_docs", "logs",
    "home", "seconds"}``. ConfigError where the home holds something else, AirflowError with the failed task's own line.
    """
    from pipeline.warehouse.migrations import migrate

    started, asked = time.monotonic(), settings
    of_month = _COUNTS_AS["credit_rating"] + _COUNTS_AS["service_actions"]
    progress = Progress(advance, 4 + rate_last * of_month + _COUNTS_AS["outage_notices"])
    progress.step("starting PostgreSQL")
    settings = _own_databases(settings)
    progress.step(f"making a utility of {customers:,} customers and {months_of_history} months")
    _prepare_sample(settings, customers, months_of_history)
    progress.step("migrating the warehouse")
    migrate(settings)
    progress.step("starting Airflow")
    months = RatingMonth.span(LAST_MONTH - (rate_last - 1), LAST_MONTH)
    with local_airflow.running(settings, echo=lambda line: progress.part(line, 0.0)) as airflow:
        airflow.give_up_unfinished()
        outcome = {str(month): _rate(airflow, month, settings, progress) for month in months}
        _notify_outages(airflow, settings, progress)
        progress.end("stopping Airflow")
    return {
        "months": outcome,
        "actions": _rows(settings, "actions"),
        "outage_notices": _rows(settings, "notices"),
        "report": str(settings.reports_path / file_name(LAST_MONTH, "en")),
        "console": f"http://localhost:{UI_PORT}{CONSOLE_PATH}",
        "warehouse": reader_address(asked),
        "data_docs": str(settings.data_docs_path / "index.html"),
        "logs": str(settings.home / "logs"),
        "home": str(settings.home),
        "seconds": round(time.monotonic() - started, 1),
    }


def up(settings: Settings, echo: Callable[[str], None] = print) -> None:
    """Airflow with its UI, until it is interrupted; the databases of the home run as long."""
    from pipeline.warehouse.migrations import migrate

    address = reader_address(settings)
    settings = with_databases(settings)
    echo(f"billing system: {settings.source!r}")
    echo("migrating the warehouse")
    migrate(settings)
    port = local_airflow.free_port(UI_PORT)
    with local_airflow.running(settings, port=port, has_triggerer=True, echo=echo) as airflow:
        password = local_airflow.password_file(settings)
        echo(f"Airflow: {airflow.url}, user admin, password in {password}; Ctrl-C or make down stops it")
        echo(f"the console: {airflow.url}{CONSOLE_PATH}")
        echo(f"the warehouse: {address}")
        while True:
            airflow.check()
            time.sleep(1)


def down(settings: Settings) -> None:
    """Stop the Airflow and the PostgreSQL of this home, whoever started them."""
    from pipeline.local.postgres import EmbeddedPostgres

    local_airflow.stop(settings)
    EmbeddedPostgres.stop(settings.home / "postgres")


def _own_databases(settings: Settings) -> Settings:
    """The settings with the embedded databases; ConfigError where others are named, which the demo would write to."""
    if settings.source_url or settings.warehouse_url or settings.lake:
        raise ConfigError(
            "the demo keeps to databases and a lake of its own: "
            "unset GRIDGRADE_SOURCE_URL, GRIDGRADE_WAREHOUSE_URL and GRIDGRADE_LAKE"
        )
    return with_databases(settings)


def _prepare_sample(settings: Settings, customers: int, months: int) -> None:
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
    kept.write_text(json.dumps(sample))
    replace_tables(settings.source_owner, Utility(customers, months, LAST_MONTH).batches())


def _rate(airflow: AirflowApi, month: RatingMonth, settings: Settings, progress: Progress) -> dict:
    """One month through both DAGs."""
    name = str(month)
    earlier = set(airflow.run_ids("service_actions", name))

    def follow(dag_id: str, run_id: str) -> None:
        _follow(airflow, dag_id, run_id, name, progress)

    rating = airflow.trigger("credit_rating", name)
    follow("credit_rating", rating)
    follow("service_actions", airflow.wait_for_run("service_actions", name, earlier))
    return {"changed": airflow.result("credit_rating", rating, "publish")["changed"], **_published(month, settings)}


def _follow(airflow: AirflowApi, dag_id: str, run_id: str, name: str, progress: Progress) -> None:
    """Wait for a run, and say how far it is under ``name``."""
    progress.step(f"{name}: {dag_id}", _COUNTS_AS[dag_id])
    airflow.wait(
        dag_id, run_id, RUN_SECONDS, lambda tasks: progress.part(f"{name}: {_describe(tasks)}", _share_done(tasks))
    )


def _notify_outages(airflow: AirflowApi, settings: Settings, progress: Progress) -> None:
    """Notices as of a moment within the last month; what a run by hand decides is let go as a person would."""
    from pipeline.actions.outbox import approval, dispatch
    from pipeline.policy import Policy

    run = airflow.trigger("outage_notices", None, at=NOTIFY_AT.isoformat())
    _follow(airflow, "outage_notices", run, "outages", progress)
    policy = Policy.load(settings.policy)
    approval.approve(settings, policy, approval.Chosen(action_type="outage_notice"), "demo")
    dispatch.dispatch(settings, policy)


def _rows(settings: Settings, name: str) -> list[dict]:
    with connect(settings.warehouse).connect() as connection:
        return [dict(row) for row in connection.execute(text(statement(f"demo/{name}"))).mappings()]


def _describe(tasks: dict[str, dict]) -> str:
    """A run's progress as text."""
    now = [name for name, task in tasks.items() if task["state"] == "running"]
    again = [
        f"{name} failed and will be tried again" for name, task in tasks.items() if task["state"] == "up_for_retry"
    ]
    return f"{', '.join(now + again) or 'waiting for the scheduler'}, {_done(tasks)} of {len(tasks)} tasks done"


def _done(tasks: dict[str, dict]) -> int:
    return sum(task["state"] in ("success", "skipped") for task in tasks.values())


def _share_done(tasks: dict[str, dict]) -> float:
    return _done(tasks) / len(tasks) if tasks else 0.0


def _published(month: RatingMonth, settings: Settings) -> dict:
    """What the warehouse holds of a month now."""
    from pipeline.policy import Policy

    order = Policy.load(settings.policy).grades.names
    of_month = {"month": month.first_day}
    with connect(settings.warehouse).connect() as connection:
        counted = connection.execute(text(statement("demo/grades")), of_month)
        counts = {grade: customers for grade, customers in counted}
        rebates = connection.execute(text(statement("demo/rebates")), of_month).one()
    return {
        "grades": {grade: int(counts.get(grade, 0)) for grade in order},
        "rebates": rebates.customers,
        "rebate_amount": str(Decimal(rebates.rebate)),
    }
