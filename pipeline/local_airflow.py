"""Airflow on this machine, for the demo, ``make up`` and the tests: its processes, and its REST interface.

All it keeps lies under ``<home>/airflow`` (SQLite metadata, secrets made for this home alone) and ``<home>/logs``; it
listens on 127.0.0.1 only. Airflow runs as child processes and is never imported.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import psutil
from pydantic import SecretStr

from pipeline.errors import ConfigError, GridgradeError
from pipeline.settings import PROJECT, Settings

DAGS = ("credit_rating", "service_actions")
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
START_SECONDS = 180
STOP_SECONDS = 10
ADMIN = "admin"


class AirflowError(GridgradeError):
    """Airflow did not start, or a run did not end well."""


class LocalAirflow:
    """A running Airflow and its REST interface. Made by ``running``."""

    def __init__(self, folder: Path, logs: Path, url: str, processes: dict[str, subprocess.Popen]) -> None:
        self.folder, self.logs, self.url = folder, logs, url
        self._processes = processes
        self._token = None

    @property
    def password_file(self) -> Path:
        """JSON: the password of each user of the UI."""
        return self.folder / "passwords.json"

    @classmethod
    @contextmanager
    def running(
        cls, settings: Settings, *, port: int | None = None, echo: Callable[[str], None] = lambda line: None
    ) -> Iterator["LocalAirflow"]:
        """Airflow, ready to run the project's DAGs; stopped when the block is left, however it is left.

        AirflowError when it does not start, or runs for this home already.
        """
        folder, logs = settings.home / "airflow", settings.home / "logs"
        with _only_one(folder):
            stop(settings)
            port = port or free_port()
            environment = _environment(settings, port)
            processes = {}
            with _terminated_as_interrupt():
                try:
                    _migrate(folder, environment, logs, echo)
                    echo("starting Airflow")
                    for name, command in COMPONENTS.items():
                        processes[name] = _start(command, environment, logs / f"{name}.log")
                        _remember(folder, processes)
                    airflow = cls(folder, logs, f"http://127.0.0.1:{port}", processes)
                    airflow._wait_until_ready()
                    yield airflow
                finally:
                    _stop([process.pid for process in processes.values()])
                    for process in processes.values():
                        process.wait()
                    (folder / "processes.json").unlink(missing_ok=True)

    # -- runs --------------------------------------------------------------------------------------------------------

    def trigger(self, dag_id: str, month: str, **params) -> str:
        """Start a run of a month's partition, as a person would; returns its run id."""
        body = {"logical_date": None, "partition_key": month, "conf": params}
        return self.call("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"]

    def runs(self, dag_id: str, month: str) -> list[dict]:
        """The runs of a month's partition, oldest first."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns?" + urlencode({"order_by": "id", "limit": 1000}))["dag_runs"]
        return [run for run in found if run["partition_key"] == month]

    def give_up_unfinished(self) -> None:
        """Fail what an earlier Airflow of this home left running: a DAG runs one month at a time and waits."""
        for run in self.call("GET", "dags/~/dagRuns?state=queued&state=running&limit=1000")["dag_runs"]:
            self.call("PATCH", f"dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'])}", {"state": "failed"})

    def run(self, dag_id: str, run_id: str) -> dict:
        return self.call("GET", f"dags/{dag_id}/dagRuns/{quote(run_id)}")

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict]:
        """The tasks of a run by their id."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def result(self, dag_id: str, run_id: str, task_id: str):
        """What a task returned."""
        task = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        return self.call("GET", f"{task}/xcomEntries/return_value?deserialize=true")["value"]

    def wait(
        self, dag_id: str, run_id: str, seconds: float, watch: Callable[[dict], None] = lambda tasks: None
    ) -> None:
        """Wait for a run's good end, showing its tasks to ``watch``; AirflowError with the failed task's own line."""
        deadline = time.monotonic() + seconds
        while True:
            state, tasks = self.run(dag_id, run_id)["state"], self.tasks(dag_id, run_id)
            watch(tasks)
            if state == "success":
                return
            if state == "failed":
                raise AirflowError(self._failure(dag_id, run_id, tasks))
            if time.monotonic() > deadline:
                raise AirflowError(f"{dag_id} {run_id} is {state} after {seconds:.0f} s: see {self.logs}")
            self.check()
            time.sleep(0.5)

    def wait_for_run(self, dag_id: str, month: str, earlier: set[str], seconds: float = 120) -> str:
        """The id of the run that Airflow starts by itself for a month, beside the earlier ones."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if new := [run["dag_run_id"] for run in self.runs(dag_id, month) if run["dag_run_id"] not in earlier]:
                return new[0]
            self.check()
            time.sleep(0.5)
        raise AirflowError(f"{dag_id} did not start for {month} within {seconds:.0f} s: see {self.logs}")

    def log(self, dag_id: str, run_id: str, task: dict) -> Path:
        """The log of a task's last attempt; every line is a JSON object."""
        folder = self.logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task['task_id']}"
        return folder / f"attempt={task['try_number']}.log"

    def error(self, dag_id: str, run_id: str, task: dict) -> str:
        """What went wrong in a task's last attempt, and where its log is."""
        log = self.log(dag_id, run_id, task)
        return f"{_last_error(log) or task['task_id'] + ' failed'}; the whole log is {log}"

    def _failure(self, dag_id: str, run_id: str, tasks: dict[str, dict]) -> str:
        failed = [task for task in tasks.values() if task["state"] == "failed"]
        return self.error(dag_id, run_id, failed[0]) if failed else f"{dag_id} {run_id} failed: see {self.logs}"

    # -- processes and interface -------------------------------------------------------------------------------------

    def check(self) -> None:
        """AirflowError when one of the processes is gone."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowError(f"Airflow's {name} ended with {process.returncode}: see {self.logs / name}.log")

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """One call of Airflow's REST interface; AirflowError with its answer when it refuses."""
        self._token = self._token or self._request("POST", "/auth/token", self._login())["access_token"]
        return self._request(method, f"/api/v2/{path}", body)

    def _login(self) -> dict:
        return {"username": ADMIN, "password": json.loads(self.password_file.read_text())[ADMIN]}

    def _request(self, method: str, path: str, body: dict | None) -> dict:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = Request(self.url + path, data, headers, method=method)  # noqa: S310  always http, and our own
            with urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            detail = error.read().decode(errors="replace")[:500]
            raise AirflowError(f"Airflow refused {method} {path}: {error.code} {detail}") from None

    def _wait_until_ready(self) -> None:
        """Also has the API server build what serves the tasks, at which the first task would otherwise time out."""
        deadline = time.monotonic() + START_SECONDS
        missing = "no answer"
        while time.monotonic() < deadline:
            self.check()
            try:
                missing = self._missing()
            except (OSError, AirflowError) as error:
                missing = str(error)
            if not missing:
                return
            time.sleep(0.5)
        raise AirflowError(f"Airflow is not ready after {START_SECONDS} s ({missing}): see {self.logs}")

    def _missing(self) -> str | None:
        self._request("GET", "/execution/health", None)
        if errors := self.call("GET", "importErrors")["import_errors"]:
            last = errors[0]["stack_trace"].strip().splitlines()[-1]
            raise ConfigError(f"Airflow cannot load {errors[0]['filename']}: {last}")
        loaded = {dag["dag_id"] for dag in self.call("GET", "dags")["dags"]}
        if absent := set(DAGS) - loaded:
            return f"waiting for the DAGs {', '.join(sorted(absent))}"
        if self.call("GET", "monitor/health")["scheduler"]["status"] != "healthy":
            return "waiting for the scheduler"
        return None


def stop(settings: Settings) -> None:
    """Stop the Airflow of a home, whoever started it; nothing happens where none runs."""
    record = settings.home / "airflow" / "processes.json"
    try:
        recorded = json.loads(record.read_text())
    except (OSError, ValueError):
        return
    _stop([pid for pid, started in recorded.values() if _started(pid) == started])
    record.unlink(missing_ok=True)


def free_port(wanted: int = 0) -> int:
    """``wanted`` or the next free port of 127.0.0.1 after it; any free one without."""
    for port in range(wanted, wanted + 100) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise AirflowError(f"no port from {wanted} to {wanted + 99} is free")


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """For Airflow's processes: this home and this checkout, whatever the caller's environment says."""
    folder = settings.home / "airflow"
    keys = _secrets(folder)
    url = f"http://127.0.0.1:{port}"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith("AIRFLOW") and name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME")
    }
    return (
        inherited
        | _gridgrade(settings)
        | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": keys["session"],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["tokens"],
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.home / "logs"),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "GX_ANALYTICS_ENABLED": "false",
            "PYTHONPATH": str(PROJECT),
        }
    )


def _gridgrade(settings: Settings) -> dict[str, str]:
    """The settings as the variables they are read from."""
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if value is not None
    }
    return {f"GRIDGRADE_{name.upper()}": value for name, value in plain.items()}


def _secrets(folder: Path) -> dict[str, str]:
    """Keys and the admin's password, made once per home and readable by its owner only."""
    kept = folder / "secrets.json"
    if not kept.exists():
        fernet = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        keys = {"fernet": fernet, "session": secrets.token_urlsafe(32), "tokens": secrets.token_urlsafe(64)}
        _write_private(folder / "passwords.json", json.dumps({ADMIN: secrets.token_urlsafe(12)}) + "\n")
        _write_private(kept, json.dumps(keys))
    return json.loads(kept.read_text())


def _write_private(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One Airflow a home. The lock goes with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise AirflowError(f"Airflow runs for {folder.parent} already: stop it with make down") from None
    finally:
        os.close(lock)


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """A terminated program stops what it started, as one does that was interrupted."""

    def interrupt(*_):
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread only
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _migrate(folder: Path, environment: dict[str, str], logs: Path, echo: Callable[[str], None]) -> None:
    """Airflow's own tables, once for each version of Airflow."""
    migrated, current = folder / "migrated", version("apache-airflow-core")
    if migrated.exists() and migrated.read_text() == current:
        return
    echo("preparing Airflow's database")
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "airflow-db-migrate.log"
    process = _start(("db", "migrate"), environment, log)
    try:
        if process.wait():
            raise AirflowError(f"Airflow's database cannot be prepared: see {log}")
    finally:
        _stop([process.pid])
    migrated.write_text(current)


def _start(command: tuple[str, ...], environment: dict[str, str], log: Path) -> subprocess.Popen:
    """In a process group of its own: Ctrl-C reaches the parent, which then ends the group."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _remember(folder: Path, processes: dict[str, subprocess.Popen]) -> None:
    record = {name: (process.pid, _started(process.pid)) for name, process in processes.items()}
    (folder / "processes.json").write_text(json.dumps(record))


def _started(pid: int) -> float | None:
    """When a process started; None for one that is gone. With the number it tells a process from a later namesake."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _stop(pids: list[int]) -> None:
    """End processes and all they started: asked first, and after STOP_SECONDS by force."""
    for pid in pids:
        _signal(os.kill, pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in pids:
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(pid, number)


def _runs(pid: int) -> bool:
    """Whether a process goes on; one that ended and waits for its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _last_error(log: Path) -> str | None:
    """The line the notifier left, or what was raised, from a task's log."""
    try:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    except (OSError, ValueError):
        return None
    errors = [line for line in lines if line.get("level") in ("error", "critical")]
    if not errors:
        return None
    raised = errors[-1].get("error_detail")
    return f"{raised[0]['exc_type']}: {raised[0]['exc_value']}" if raised else errors[-1]["event"]
