"""A utility's own folder under a checkout that has changed: through the command line and through Airflow."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yaml

from pipeline.local.airflow import clean_environment
from pipeline.resources import ROOT
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from tests.support.documented_project import INDEX, MEASURE, documented_project
from tests.support.environment import variables

pytestmark = pytest.mark.trial

COMMAND_MONTH, AIRFLOW_MONTH = LAST - 1, LAST


@pytest.fixture(scope="module")
def settings(databases, tmp_path_factory):
    """A sample utility whose billing system calls its bills invoices."""
    with databases(tmp_path_factory.mktemp("utility")) as settings:
        replace_tables(settings.source, generate(200, 20))
        execute(settings.source, "alter table bills rename to invoices")
        yield settings


def execute(url, statement: str) -> list[tuple]:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The examples of the documentation, and an adapted query for the bills."""
    folder = documented_project(tmp_path_factory.mktemp("our") / "utility")
    policy = yaml.safe_load((folder / "policy.yaml").read_text())
    policy["training"] = {"cohorts": 2, "out_of_time_cohorts": 1}
    policy["measures"][MEASURE] |= {"grades": ["A", "B", "C", "D"], "min_amount": 20}
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy))
    for case in folder.glob(f"cases/lake/measures/{MEASURE}/*.yaml"):
        case.write_text(case.read_text().replace("best,A", "best,AA").replace("little,199.99", "little,19.99"))
    bills = folder / "sql" / "extract" / "bills.sql"
    bills.write_text(bills.read_text().replace("from bills", "from invoices"))
    return folder


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory) -> Path:
    """A checkout as after an upgrade: its own query for the bills is another one, and reads what is not there."""
    checkout = tmp_path_factory.mktemp("upgraded")
    for name in ("pipeline", "sql", "dags", "plugins"):
        shutil.copytree(ROOT / name, checkout / name)
    (checkout / "sql" / "extract" / "bills.sql").write_text("select * from bills_of_the_new_version\n")
    return checkout


@pytest.fixture(scope="module")
def run(settings, project, upgraded, tmp_path_factory):
    """``run("airflow", "version")``: a module as a process of the upgraded checkout; gives what it prints."""
    home = tmp_path_factory.mktemp("airflow")
    environment = (
        clean_environment()
        | variables(settings)
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(upgraded / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(upgraded / "plugins"),
            "GRIDGRADE_PROJECT": str(project),
            "GRIDGRADE_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(upgraded), str(upgraded / "plugins")]),
        }
    )

    def called(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        log = home / "log"
        with log.open("w") as errors:
            done = subprocess.run(
                command, env=environment, cwd=home, stdout=subprocess.PIPE, stderr=errors, text=True, check=False
            )
        assert done.returncode == 0, done.stdout[-3000:] + log.read_text()[-3000:]
        return done.stdout

    return called


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rated_with_it(settings, month) -> bool:
    """Whether a month is published with the index of the project, and its measure is decided."""
    month_is = f"where rating_month = '{month}-01'"
    indices = f"select count(*), count({INDEX}) from rating.credit_indices {month_is}"
    [(customers, known)] = execute(settings.warehouse, indices)
    desks = f"select payload->>'desk' from ops.service_actions {month_is} and action_type = '{MEASURE}'"
    return known == customers > 100 and set(execute(settings.warehouse, desks)) == {("hardship desk",)}


def test_the_command_line_uses_it_tests_it_lists_it_and_leaves_it_as_it_is(run, settings, project):
    before = contents(project)
    assert run("pipeline.cli", "test") == "3 passed, 0 failed\n"

    findings = json.loads(run("pipeline.cli", "doctor", "--json"))
    assert [one["what"] for one in findings if one["state"] != "ok"] == []
    listed = next(one["detail"] for one in findings if one["what"] == "project")
    for file, state in {
        "sql/extract/bills.sql": "in place of ours, which has changed since it was copied",
        "sql/extract/payments.sql": "in place of ours",
        "sql/lake/indices/plans.sql": "added",
        f"sql/lake/measures/{MEASURE}.sql": "added",
        f"letters/{MEASURE}.en.txt": "added",
    }.items():
        assert f"{file} ({state})" in listed

    run("pipeline.cli", "rate", str(COMMAND_MONTH))
    assert rated_with_it(settings, COMMAND_MONTH)
    assert "Ask our hardship desk for a plan" in run("pipeline.cli", "actions", "preview", MEASURE)
    assert contents(project) == before


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_airflow_uses_it(run, settings, project):
    before = contents(project)
    run("airflow", "db", "migrate")
    for dag in ("credit_rating", "service_actions"):
        run("airflow", "dags", "test", dag, "--conf", json.dumps({"rating_month": str(AIRFLOW_MONTH)}))
    assert rated_with_it(settings, AIRFLOW_MONTH)
    assert contents(project) == before
