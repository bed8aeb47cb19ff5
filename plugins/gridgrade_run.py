"""What a task works with: its month, what the run was asked for, and where things are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.sdk import ExceptionRetryPolicy, Param, RetryAction, RetryRule, get_current_context
from gridgrade_notifier import TaskFailed

from pipeline.basis import Basis
from pipeline.errors import RETRIED, ConfigError, GridgradeError, MonthError
from pipeline.month import RatingMonth

TASK_DEFAULTS = {
    "owner": "credit-office",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=30),
    # RETRIED and unforeseen errors are retried; the other errors of pipeline need a person, and fail at once.
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(exception=list(RETRIED), action=RetryAction.RETRY),
            RetryRule(exception=GridgradeError, action=RetryAction.FAIL, reason="running it again would not fix this"),
        ]
    ),
    "execution_timeout": timedelta(hours=6),
    "on_failure_callback": [TaskFailed()],
}

RATING_MONTH = Param(
    None,
    type=["null", "string"],
    pattern=r"^\d{4}-\d{2}$",
    description="YYYY-MM; empty in a run that carries the month as its partition",
)


AT = Param(
    None,
    type=["null", "string"],
    format="date-time",
    description="ISO 8601 with its zone; empty: the moment the run is scheduled for",
)

BASIS = Param("as_known_then", enum=[basis.value for basis in Basis])


@dataclass(frozen=True)
class DagRun:
    """A DAG run of a month. ``kind`` is "scheduled", "backfill" or "manual", ``started_by`` a user's name."""

    month: RatingMonth
    id: str
    kind: str
    params: dict
    started_by: str | None = None

    @cached_property
    def steps(self):
        """The steps of the month, a ``pipeline.run.Run``."""
        from pipeline.run import Run

        names = ("basis", "mode", "model_version", "dry_run", "accept_moves")
        asked: dict[str, Any] = {name: self.params[name] for name in names if name in self.params}
        settings, policy = settings_and_policy()
        who = {"id": self.id, "kind": self.kind, "started_by": self.started_by}
        return Run(self.month, settings, policy, **asked, **who, on_step=_report_metrics)

    @contextmanager
    def locked(self, *, is_shared: bool = False) -> Iterator[Any]:
        """The steps, with the month locked; shared, beside tasks that leave each other's output alone."""
        from pipeline.warehouse import locks

        month, settings, policy = self.steps.inputs
        who = f"Airflow run {self.id}"
        with locks.rating(settings, month, policy.publish.lock_timeout_seconds, who, is_shared=is_shared):
            yield self.steps


def current_run() -> DagRun:
    """The run of the task that calls; MonthError when it has no month, or two."""
    context = get_current_context()
    return resolve(context["dag_run"], dict(context["params"]))


def describe(event, month: RatingMonth, summary: dict) -> None:
    """The partition and the numbers that an asset's event carries: counts, revision, content hash."""
    from pipeline.step_words import numbers

    event.add_partitions(str(month))
    named = {name: summary[name] for name in ("basis", "content_sha256", "changed", "known_in") if name in summary}
    event.extra.update(numbers(summary) | named)


def _report_metrics(step: str, summary: dict, seconds: float) -> None:
    """A step's numbers and its seconds as metrics of Airflow's, gridgrade.<step>.<name>."""
    from airflow.sdk.observability.stats import Stats

    from pipeline.step_words import numbers

    for name, value in numbers(summary).items():
        Stats.gauge(f"gridgrade.{step}.{name}", value)
    Stats.timing(f"gridgrade.{step}.seconds", timedelta(seconds=seconds))


def current_moment() -> tuple[datetime, str]:
    """When the run of the task that calls is for, by its param ``at`` or else by its schedule, and its kind."""
    context = get_current_context()
    run, asked = context["dag_run"], context["params"].get("at")
    return datetime.fromisoformat(asked) if asked else run.run_after, kind_of(run)


def current_settings():
    """The settings of this process, with Airflow's connections in front of the environment."""
    from pipeline.settings import Settings

    os.environ.update(_lake_credentials())
    found = {
        "source_url": _connection_url("gridgrade_source"),
        "warehouse_url": _connection_url("gridgrade_warehouse"),
        **_webhook(),
        **_mail(),
    }
    return Settings.load(**{name: value for name, value in found.items() if value})


def settings_and_policy() -> tuple:
    """The settings, and the policy they name."""
    from pipeline.policy import Policy

    settings = current_settings()
    return settings, Policy.load(settings.policy)


def kind_of(dag_run) -> str:
    """ "scheduled", "backfill", or "manual" for whatever else started it."""
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return run_type if run_type in ("scheduled", "backfill") else "manual"


def resolve(dag_run, params: dict) -> DagRun:
    """Read a run: the month is its partition, or the param where it has none (a partition cannot be given by hand
    everywhere Airflow starts runs)."""
    asked, partition = params.get("rating_month"), dag_run.partition_key
    if asked and partition and asked != partition:
        raise MonthError(
            f"run {dag_run.run_id}: rating_month is {asked} but its partition is {partition}: give one of them"
        )
    if not (asked or partition):
        raise MonthError(
            f"run {dag_run.run_id} has no month: trigger it with the param rating_month, "
            f"""for example --conf '{{"rating_month": "2026-10"}}'"""
        )
    return DagRun(
        month=RatingMonth.parse(asked or partition),
        id=dag_run.run_id,
        kind=kind_of(dag_run),
        params=params,
        started_by=getattr(dag_run, "triggering_user_name", None),
    )


def _connection(connection_id: str):
    """An Airflow connection, or None where there is no such connection."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(connection_id)
    except AirflowNotFoundException:
        return None


def _lake_credentials() -> dict[str, str]:
    """Connection ``gridgrade_lake``, of type aws, as the variables that an S3 client reads: key id and secret as login
    and password, and the extras ``aws_session_token``, ``region_name`` and ``endpoint_url``."""
    connection = _connection("gridgrade_lake")
    if connection is None:
        return {}
    if connection.conn_type != "aws":
        raise ConfigError(
            f"the Airflow connection gridgrade_lake is of type {connection.conn_type or 'none'}: only aws can be used; "
            "for another store set the variables that its client reads"
        )
    extra = connection.extra_dejson
    found = {"AWS_DEFAULT_REGION": extra.get("region_name"), "AWS_ENDPOINT_URL": extra.get("endpoint_url")}
    found = {name: value for name, value in found.items() if value}
    if connection.login:
        found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"] = connection.login, connection.password or ""
        found["AWS_SESSION_TOKEN"] = extra.get("aws_session_token", "")  # one of the environment's would not fit
    return found


def _webhook() -> dict[str, str | None]:
    """Connection ``gridgrade_webhook``: the whole address as the host, the signing secret as the password."""
    connection = _connection("gridgrade_webhook")
    return {"webhook_url": connection.host, "webhook_secret": connection.password} if connection else {}


def _mail() -> dict[str, str | None]:
    """Connection ``gridgrade_smtp``: host, port, login, password, and the extra ``from_email`` for who writes.

    Port 465 is encrypted from the start, any other by STARTTLS.
    """
    connection = _connection("gridgrade_smtp")
    if connection is None:
        return {}
    login = (
        f"{quote(connection.login, safe='')}:{quote(connection.password or '', safe='')}@" if connection.login else ""
    )
    port = connection.port or 587
    scheme = "smtps" if port == 465 else "smtp"
    sender = connection.extra_dejson.get("from_email")
    return {"smtp_url": f"{scheme}://{login}{connection.host}:{port}", "mail_from": sender}


def _connection_url(connection_id: str) -> str | None:
    """The SQLAlchemy URL of an Airflow connection, or None where there is no such connection.

    The dialect is the connection's type (an extra ``drivername``, ``oracle+oracledb`` say, names it with a driver);
    other extras become the URL's options. A file database has its path as the host.
    """
    from sqlalchemy import URL

    connection = _connection(connection_id)
    if connection is None:
        return None
    options = {name: str(value) for name, value in connection.extra_dejson.items()}
    dialect = options.pop("drivername", {"postgres": "postgresql"}.get(connection.conn_type, connection.conn_type))
    if not dialect:
        raise ConfigError(f"the Airflow connection {connection_id} has no type: set it, for example to postgres")
    if dialect.startswith("sqlite"):
        url = URL.create(dialect, database=connection.host)
    else:
        url = URL.create(
            dialect,
            connection.login or None,
            connection.password or None,
            connection.host or None,
            connection.port,
            connection.schema or None,
            options,
        )
    return url.render_as_string(hide_password=False)
