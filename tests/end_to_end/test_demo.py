"""``gridgrade demo``: Airflow's own scheduler, on a small utility."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pipeline.cli.show.demo import show_demo
from pipeline.errors import ConfigError
from pipeline.local import airflow, demo
from pipeline.local.airflow_client import AirflowApi, AirflowError
from pipeline.local.databases import with_databases
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.resources import ROOT
from pipeline.settings import Settings

# The demo, and in the Airflow that it started, before it is stopped, what AGAIN_AND_BACKFILL does.
DEMO_THEN = """
import json, sys
from contextlib import contextmanager
from pathlib import Path
from pipeline.local import airflow as local_airflow
from pipeline.local import demo
from pipeline.settings import Settings

running, seen = local_airflow.running, {}

@contextmanager
def running_on(settings, **options):
    with running(settings, **options) as airflow:
        yield airflow
        seen.update(seen_of(airflow, settings))

local_airflow.running = running_on
summary = demo.run(Settings.load(home=Path(sys.argv[1])), customers=300, months_of_history=20, rate_last=1)
print(json.dumps({"first": summary, "second": seen}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With a space in its name: ``home`` for the demo, ``user`` as the home folder of whoever runs it."""
    folder = tmp_path_factory.mktemp("a demo")
    (folder / "user").mkdir()
    return folder


CONTENT = (
    "select rating_month, customer_id, grade, score, publication_id from rating.credit_grades order by 1, 2",
    "select rating_month, revision, content_sha256, run_id, superseded_at from ops.publications order by 1, 2",
    "select campaign, customer_id, rating_month, rebate, action_id from ops.arrears_rebates order by 1, 2",
    "select action_id, rating_month, customer_id, action_type, status from ops.service_actions order by 1",
)

# A backfill of the month before; "again": of both months, and what the demo does with a month, once more.
AGAIN_AND_BACKFILL = """
import json, re, subprocess, sys, time
from pathlib import Path
from sqlalchemy import text
from pipeline.cycle import Progress, unseen
from pipeline.database import connect
from pipeline.local import airflow as local_airflow
from pipeline.local import demo
from pipeline.local.databases import with_databases
from pipeline.settings import Settings

command = ["-m", "airflow", "backfill", "create", "--dag-id", "credit_rating"]
months = ["--from-date", "2026-09-01", "--to-date", "2026-10-31", "--max-active-runs", "1"]

def seen_of(airflow, settings):
    observed = {}

    def ask(*more):
        environment = local_airflow._environment(settings, 0)
        run = [sys.executable, *command, *months, *more]
        return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout

    def rated(month, known):
        run = airflow.wait_for_run("credit_rating", month, known)
        airflow.wait("credit_rating", run, 900)
        return airflow.result("credit_rating", run, "publish")

    def body(behaviour, first="2026-09-01", last="2026-10-31"):
        asked = {"dag_id": "credit_rating", "from_date": first + "T00:00:00Z", "to_date": last + "T00:00:00Z"}
        return asked | {"reprocess_behavior": behaviour, "max_active_runs": 1, "dag_run_conf": {"accept_moves": True}}

    def begin(*asked):
        # The scheduler marks a backfill as done a while after its last run.
        for _ in range(300):
            found = airflow.call("GET", "backfills?dag_id=credit_rating")["backfills"]
            if all(one["completed_at"] for one in found):
                break
            time.sleep(1)
        airflow.call("POST", "backfills", body(*asked))

    def attempted(behaviour):
        found = airflow.call("POST", "backfills/dry_run", body(behaviour))
        return sorted(run["partition_key"] for run in found["backfills"])

    def runs(month):
        return set(airflow.run_ids("credit_rating", month))

    def rows(query):
        with connect(settings.warehouse).connect() as connection:
            return str(connection.execute(text(query)).fetchall())

    failed = airflow.call("GET", "dags/~/dagRuns?state=failed")["dag_runs"]
    observed["failed runs"] = [run["dag_run_id"] for run in failed]
    observed["sent before"] = rows(sys.argv[4])
    if not runs("2026-09"):
        observed["dry run"] = re.findall(r"\\b\\d{4}-\\d{2}\\b(?!-)", ask("--dry-run"))
        ask()
    observed["none"] = rated("2026-09", set())
    run = airflow.wait_for_run("service_actions", "2026-09", set())
    airflow.wait("service_actions", run, 900)
    observed["none again"] = attempted("none")
    observed["would be done again if completed"] = attempted("completed")
    if sys.argv[2] == "again":
        [first] = runs("2026-09")
        airflow.call("PATCH", f"dags/credit_rating/dagRuns/{first}", {"state": "failed"})
        observed["would be done again if failed"] = attempted("failed")
        known = runs("2026-09")
        begin("failed")
        observed["failed"] = rated("2026-09", known)
        known = runs("2026-10")
        begin("completed", "2026-10-01", "2026-10-31")
        observed["completed"] = rated("2026-10", known)
        before = [rows(query) for query in json.loads(sys.argv[3])]
        observed["by hand"] = demo._rate(airflow, demo.LAST_MONTH, settings, Progress(unseen, 100))
        observed["content is as before"] = [rows(query) for query in json.loads(sys.argv[3])] == before
    started = {month: runs(month) for month in ("2026-09", "2026-10")}
    observed["runs"] = {month: sorted(run.partition("__")[0] for run in found) for month, found in started.items()}
    observed["sent after"] = rows(sys.argv[4])
    return observed
"""

# The same in an Airflow of its own.
AGAIN = """
settings = with_databases(Settings.load(home=Path(sys.argv[1])))
with local_airflow.running(settings) as airflow:
    airflow.give_up_unfinished()
    print(json.dumps(seen_of(airflow, settings)))
"""


ACTIONS = "select action_id, status, dispatched_at, attempts from ops.service_actions"
SENT = f"{ACTIONS} where dispatched_at is not null or attempts > 0 order by action_id"

PUBLISHED_SINCE = """
select rating_month::text, run_kind
from ops.publications
where published_at > (select min(published_at) from ops.publications where run_kind = 'backfill') - interval '1 s'
order by 1
"""


def run_script(folder: Path, script: str, *arguments: str) -> dict:
    """A script in a process of its own, as a user whose home folder is empty and who is somewhere else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRIDGRADE", "XDG"))}
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "home"), *arguments],
        env=environment | {"HOME": str(folder / "user"), "PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


ASKED = json.dumps(CONTENT), SENT


@pytest.fixture(scope="module")
def demo_and_more(folder) -> dict:
    return run_script(folder, AGAIN_AND_BACKFILL + DEMO_THEN, "once", *ASKED)


@pytest.fixture(scope="module")
def first(demo_and_more) -> dict:
    """What the demo tells of a month."""
    return demo_and_more["first"]


def query(folder: Path, *queries: str) -> list[tuple]:
    """What the warehouse of the demo answers, one query after another."""
    server = EmbeddedPostgres.running(folder / "home" / "postgres")
    url = server.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(url) as connection:
            return [row for query in queries for row in connection.execute(query).fetchall()]
    finally:
        EmbeddedPostgres.stop(folder / "home" / "postgres")


@pytest.fixture(scope="module")
def second(demo_and_more) -> dict:
    """What is sent before and after, and what was seen while the month before was filled in."""
    return demo_and_more["second"]


@pytest.mark.airflow
@pytest.mark.trial
@pytest.mark.timeout(900)
def test_a_month_goes_through_the_scheduler(folder, first):
    assert list(first["months"]) == ["2026-10"]
    month = first["months"]["2026-10"]
    assert month["changed"]
    assert sum(month["grades"].values()) > 150
    assert month["rebates"]
    counts = {(row["action_type"], row["status"]): row["actions"] for row in first["actions"]}
    assert {name for name, _ in counts} >= {"late_fee", "account_manager", "arrears_rebate", "outage_notice"}
    assert counts["outage_notice", "dispatched"] > 200
    notices = {row["outage_id"]: row for row in first["outage_notices"]}
    maintenance = notices["O000001-202610M"]
    assert maintenance["notified"] == maintenance["customers"] > 200
    assert maintenance["hours_ahead"] == 145  # from 16 October, 08:00, to 22 October, 09:00
    assert Path(first["data_docs"]).is_file()

    assert query(folder, "select count(*) from ops.publications where followed_up_at is null") == [(0,)]

    assert not list((folder / "user").iterdir()), "something was written into the user's home folder"
    secret = json.loads((folder / "home" / "airflow" / "passwords.json").read_text())["admin"]
    logs = (folder / "home" / "logs").rglob("*.log")
    assert not [log for log in logs if secret in log.read_text(errors="replace")]


@pytest.mark.airflow
@pytest.mark.trial
@pytest.mark.timeout(900)
def test_the_demo_leaves_no_failed_run(second):
    assert second["failed runs"] == []


@pytest.mark.airflow
@pytest.mark.trial
@pytest.mark.timeout(900)
def test_a_backfill_through_the_scheduler_rates_what_it_should_and_fires_nothing(folder, second):
    observed = second
    assert observed["dry run"] == ["2026-09"]
    assert (observed["none"]["changed"], observed["none"]["is_latest_month"]) == (True, False)
    assert observed["none"]["stale_months"] == ["2026-10"]
    assert observed["none again"] == []
    assert observed["would be done again if completed"] == ["2026-09", "2026-10"]
    assert observed["runs"] == {"2026-09": ["backfill"], "2026-10": ["manual"]}, "a run that nobody asked for"
    assert query(folder, PUBLISHED_SINCE) == [("2026-09-01", "backfill")]
    of_september = query(folder, f"{ACTIONS} where rating_month = '2026-09-01'")
    assert of_september
    assert {row[1:] for row in of_september} == {("suppressed", None, 0)}
    # What was proposed may be withdrawn by a month that is restated; what was sent stays, and nothing is added to it.
    assert second["sent before"] != "[]"
    assert second["sent after"] == second["sent before"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("first")
def test_a_backfill_does_again_what_failed_or_all_as_it_is_asked_and_the_same_month_by_hand_changes_nothing(folder):
    observed = run_script(folder, AGAIN_AND_BACKFILL + AGAIN, "again", *ASKED)
    assert observed["would be done again if failed"] == ["2026-09"]
    assert observed["failed"] == observed["none"] | {"changed": False, "promoted": []}
    assert (observed["completed"]["changed"], observed["completed"]["stale_months"]) == (True, [])
    assert observed["by hand"]["changed"] is False
    assert observed["content is as before"]
    assert observed["runs"]["2026-09"] == ["backfill", "backfill"]
    assert query(folder, PUBLISHED_SINCE) == [("2026-09-01", "backfill"), ("2026-10-01", "backfill")]


@pytest.fixture
def home(tmp_path):
    settings = Settings(home=tmp_path / "home")
    yield settings
    EmbeddedPostgres.stop(settings.home / "postgres")


@pytest.fixture
def _no_airflow(monkeypatch):
    def running(*_, **__):
        raise AssertionError("Airflow was started")

    monkeypatch.setattr(airflow, "running", running)


@pytest.mark.usefixtures("_no_airflow")
class TestWhatTheDemoRefuses:
    def test_a_billing_system_that_is_not_its_own(self, tmp_path):
        settings = Settings(home=tmp_path, source_url="postgresql://cis.example/billing")
        with pytest.raises(ConfigError, match="unset GRIDGRADE_SOURCE_URL"):
            demo.run(settings)

    def test_records_it_did_not_make(self, home):
        from pipeline.source.write import create_tables

        create_tables(with_databases(home).source_owner)
        with pytest.raises(ConfigError, match=r"holds records already.* name an empty folder in GRIDGRADE_HOME"):
            demo.run(home)

    def test_a_sample_of_another_size(self, home):
        for _ in range(2):  # the second time it finds the sample
            with pytest.raises(AssertionError, match="Airflow was started"):
                demo.run(home, customers=100, months_of_history=3)
        with pytest.raises(ConfigError, match="a sample of 100 customers over 3 months already"):
            demo.run(home, customers=200, months_of_history=3)

    def test_a_second_airflow_for_the_same_home(self, tmp_path, monkeypatch):
        monkeypatch.undo()
        settings = Settings(home=tmp_path)
        with (
            airflow._only_one(tmp_path / "airflow"),
            pytest.raises(AirflowError, match="stop it with make down"),
            airflow.running(settings),
        ):
            pass


def test_a_failed_task_is_reported_with_its_own_line_and_its_log(tmp_path):
    log = tmp_path / "dag_id=credit_rating" / "run_id=r" / "task_id=validate" / "attempt=2.log"
    log.parent.mkdir(parents=True)
    raised = {"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "E", "exc_value": "raised"}]}
    observed = {"level": "error", "event": "credit_rating 2026-10: validate failed: too many bad rows"}
    api = AirflowApi("http://127.0.0.1:9", tmp_path, "")
    task = {"task_id": "validate", "try_number": 2, "state": "failed"}

    log.write_text(json.dumps(raised) + "\nnot json\n")
    assert api._failure("credit_rating", "r", {"validate": task}) == f"E: raised; the whole log is {log}"
    log.write_text(json.dumps(raised) + "\n" + json.dumps(observed) + "\n")
    assert api._failure("credit_rating", "r", {"validate": task}).startswith(observed["event"])
    log.unlink()
    assert api._failure("credit_rating", "r", {"validate": task}).startswith("validate failed; the whole log is")


class TestProcesses:
    """Of Airflow's home, with sleeping ones in Airflow's place."""

    @pytest.fixture
    def sleeper(self):
        script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
        with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as process:
            yield process
            process.kill()

    def test_what_was_left_running_is_stopped(self, tmp_path, sleeper):
        settings = Settings(home=tmp_path)
        (tmp_path / "airflow").mkdir()
        airflow._remember(tmp_path / "airflow", {"scheduler": sleeper})
        airflow.stop(settings)
        assert sleeper.wait(timeout=5) != 0
        airflow.stop(settings)

    def test_a_later_process_of_the_same_number_is_left_alone(self, tmp_path, sleeper):
        (tmp_path / "airflow").mkdir()
        (tmp_path / "airflow" / "processes.json").write_text(json.dumps({"scheduler": [sleeper.pid, 1.0]}))
        airflow.stop(Settings(home=tmp_path))
        assert sleeper.poll() is None

    def test_one_that_ended_is_reported(self, tmp_path):
        ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        ended.wait()
        with pytest.raises(AirflowError, match=r"Airflow's scheduler ended with 3: see .*scheduler\.log"):
            airflow.require_alive({"scheduler": ended}, tmp_path)


def test_the_environment_of_airflow_is_this_home_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SomethingElse")
    monkeypatch.setenv("_AIRFLOW_WWW_USER_PASSWORD", "x")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "airflow").mkdir()
    settings = Settings(home=tmp_path, memory_limit="1GB", warehouse_url="postgresql://u:p@h/w")
    environment = airflow._environment(settings, 8123)
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["GRIDGRADE_HOME"] == str(tmp_path)
    assert environment["GRIDGRADE_MEMORY_LIMIT"] == "1GB"
    assert environment["GRIDGRADE_WAREHOUSE_URL"] == "postgresql://u:p@h/w"
    assert not {"_AIRFLOW_WWW_USER_PASSWORD", "PYTHONDONTWRITEBYTECODE"} & set(environment)
    assert airflow._environment(settings, 8123) == environment
    for name in ("secrets.json", "passwords.json"):
        assert (tmp_path / "airflow" / name).stat().st_mode & 0o077 == 0


def test_the_next_free_port_is_taken():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < airflow.free_port(port) < port + 100


def test_the_summary_is_printed(capsys):
    month = {"changed": False, "grades": {"AAA": 1200, "D": 3}, "rebates": 5, "rebate_amount": "12.50"}
    summary = {"months": {"2026-10": month}, "data_docs": "/docs", "logs": "/logs", "home": "/h", "seconds": 1.0}
    summary |= {
        "report": "/reports/2026-10.html",
        "console": "http://localhost:8080/x",
        "warehouse": "postgresql://r@h/w",
    }
    summary["actions"] = [{"action_type": "visit", "status": "approved", "actions": 1250}]
    notice = {"outage_id": "O1", "starts_at": "2026-10-22 09:00", "customers": 40, "notified": 39, "hours_ahead": 145.0}
    show_demo(summary | {"outage_notices": [notice]})
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("2026-10", "1,200", "5 (12.50)", "unchanged", "Nothing changed", "/docs"))
    assert all(text in shown for text in ("visit", "1,250", "39 of 40 customers notified, 145 hours ahead"))
    assert all(summary[name] in shown for name in ("report", "console", "warehouse"))
