"""What a task takes from its run: the month, who started it, and Airflow's connections before the environment."""

from tests.support import in_airflow  # noqa: F401  isort: skip

import json
import os
from types import SimpleNamespace

import gridgrade_run
import pytest
from airflow.sdk import Connection, RetryAction
from airflow.sdk.exceptions import AirflowNotFoundException
from gridgrade_run import TASK_DEFAULTS, resolve

from pipeline import errors
from pipeline.actions.channels import configuration
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from tests.support.s3 import SECRET


def dag_run(partition_key=None, run_type="manual"):
    return SimpleNamespace(run_id="manual__1", partition_key=partition_key, run_type=run_type)


@pytest.mark.parametrize(("partition", "asked"), [("2026-10", None), (None, "2026-10"), ("2026-10", "2026-10")])
def test_the_month_is_the_partition_or_the_param(partition, asked):
    assert resolve(dag_run(partition), {"rating_month": asked}).month == RatingMonth(2026, 10)


def test_a_run_without_a_month_is_refused_with_the_way_out():
    with pytest.raises(errors.MonthError, match=r"manual__1 has no month: trigger it with the param rating_month"):
        resolve(dag_run(), {"rating_month": None})


def test_two_different_months_are_refused():
    with pytest.raises(errors.MonthError, match="rating_month is 2026-09 but its partition is 2026-10"):
        resolve(dag_run("2026-10"), {"rating_month": "2026-09"})


def test_a_thirteenth_month_is_refused():
    with pytest.raises(errors.MonthError, match="'2026-13' is not a rating month"):
        resolve(dag_run(), {"rating_month": "2026-13"})


@pytest.mark.parametrize(
    ("run_type", "kind"),
    [("scheduled", "scheduled"), ("backfill", "backfill"), ("manual", "manual"), ("asset_triggered", "manual")],
)
def test_the_kind_of_a_run(run_type, kind):
    assert resolve(dag_run("2026-10", run_type), {}).kind == kind


def decide(error: Exception) -> RetryAction:
    return TASK_DEFAULTS["retry_policy"].evaluate(error, try_number=1, max_tries=3).action


@pytest.mark.parametrize("error", errors.RETRIED)
def test_what_heals_by_itself_is_retried(error):
    assert decide(error("away")) is RetryAction.RETRY


@pytest.mark.parametrize("error", sorted(set(errors.GridgradeError.__subclasses__()) - set(errors.RETRIED), key=str))
def test_what_somebody_has_to_fix_is_not_retried(error):
    assert decide(error("wrong")) is RetryAction.FAIL


def test_what_nobody_foresaw_is_retried_as_airflow_does():
    assert decide(MemoryError()) is RetryAction.DEFAULT
    assert TASK_DEFAULTS["retries"] == 3


@pytest.fixture
def connections(monkeypatch):
    """Airflow's connections of a test, by their id."""
    known = {}

    def get(conn_id):
        try:
            return known[conn_id]
        except KeyError:
            raise AirflowNotFoundException(conn_id) from None

    monkeypatch.setattr(Connection, "get", get)
    monkeypatch.setenv("GRIDGRADE_SOURCE_URL", "postgresql://environment/source")
    monkeypatch.setenv("GRIDGRADE_WAREHOUSE_URL", "postgresql://environment/warehouse")
    return known


def test_without_connections_the_environment_holds(connections):
    assert (gridgrade_run.current_settings().source.host, gridgrade_run.current_settings().warehouse.host) == (
        "environment",
        "environment",
    )


def test_a_connection_wins_over_the_environment(connections):
    connections["gridgrade_source"] = Connection(
        conn_id="gridgrade_source",
        conn_type="postgres",
        host="billing.example",
        login="reader",
        password="p@ss/w:rd %",
        port=5433,
        schema="cis",
        extra=json.dumps({"sslmode": "require"}),
    )
    source = gridgrade_run.current_settings().source
    assert (source.host, source.port, source.database) == ("billing.example", 5433, "cis")
    assert (source.username, source.password) == ("reader", "p@ss/w:rd %")
    assert source.drivername == "postgresql+psycopg"
    assert source.query == {"sslmode": "require"}
    assert gridgrade_run.current_settings().warehouse.host == "environment"
    assert "p@ss" not in repr(gridgrade_run.current_settings())


def test_a_connection_of_another_dialect(connections):
    connections["gridgrade_source"] = Connection(
        conn_id="gridgrade_source",
        conn_type="postgres",
        host="h",
        extra=json.dumps({"drivername": "postgresql+psycopg2"}),
    )
    assert gridgrade_run.current_settings().source.drivername == "postgresql+psycopg2"
    connections["gridgrade_source"] = Connection(conn_id="gridgrade_source", conn_type="sqlite", host="/data/cis.db")
    assert gridgrade_run.current_settings().source.database == "/data/cis.db"


def test_a_connection_without_a_type_is_refused(connections):
    connections["gridgrade_warehouse"] = Connection(conn_id="gridgrade_warehouse", conn_type="", host="h")
    with pytest.raises(errors.ConfigError, match="gridgrade_warehouse has no type"):
        _ = gridgrade_run.current_settings()


def test_the_keys_of_the_lakes_store_are_a_connection_too(connections, bucket, elsewhere):
    there = os.environ["AWS_ENDPOINT_URL"]
    elsewhere(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_SESSION_TOKEN="of other keys", GRIDGRADE_LAKE=bucket)
    elsewhere(AWS_ACCESS_KEY_ID="other", AWS_SECRET_ACCESS_KEY="other")
    store = {"conn_id": "gridgrade_lake", "conn_type": "aws", "login": "key", "password": SECRET}
    connections["gridgrade_lake"] = Connection(**store, extra=json.dumps({"endpoint_url": there}))
    lake = Lake.of(gridgrade_run.current_settings())
    assert lake.facts("bills") == []  # asked of the store, which nobody would find by the environment
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]) == ("key", SECRET)
    assert (os.environ["AWS_SESSION_TOKEN"], os.environ["AWS_DEFAULT_REGION"]) == ("", "us-east-1")
    assert SECRET not in repr(gridgrade_run.current_settings())
    connections["gridgrade_lake"] = Connection(conn_id="gridgrade_lake", conn_type="wasb", password=SECRET)
    with pytest.raises(errors.ConfigError, match="gridgrade_lake is of type wasb: only aws can be used"):
        gridgrade_run.current_settings()


def test_channels_are_connections_too(connections, monkeypatch):
    monkeypatch.setenv("GRIDGRADE_MAIL_FROM", "environment@utility.example")
    assert (gridgrade_run.current_settings().webhook_url, gridgrade_run.current_settings().smtp_url) == (None, None)
    connections["gridgrade_webhook"] = Connection(
        conn_id="gridgrade_webhook", conn_type="http", host="https://crm.example/actions", password="0123456789abcdef"
    )
    smtp = {"conn_id": "gridgrade_smtp", "conn_type": "smtp", "host": "mail.example", "login": "u@x", "password": "p/w"}
    connections["gridgrade_smtp"] = Connection(**smtp)
    webhook, mail = (
        configuration.webhook(gridgrade_run.current_settings()),
        configuration.mail_server(gridgrade_run.current_settings()),
    )
    assert (webhook.url, webhook.secrets) == ("https://crm.example/actions", (b"0123456789abcdef",))
    assert (mail.host, mail.port, mail.tls, mail.login) == ("mail.example", 587, "starttls", ("u@x", "p/w"))
    assert mail.sender.addr_spec == "environment@utility.example"
    extra = json.dumps({"from_email": "power@utility.example"})
    connections["gridgrade_smtp"] = Connection(**smtp, port=465, extra=extra)
    mail = configuration.mail_server(gridgrade_run.current_settings())
    assert (mail.port, mail.tls, mail.sender.addr_spec) == (465, "implicit", "power@utility.example")


def test_the_run_of_the_task_that_calls(monkeypatch):
    context = {"dag_run": dag_run("2026-10"), "params": {"basis": "as_known_now"}}
    monkeypatch.setattr(gridgrade_run, "get_current_context", lambda: context)
    run = gridgrade_run.current_run()
    assert (str(run.month), run.params["basis"]) == ("2026-10", "as_known_now")
