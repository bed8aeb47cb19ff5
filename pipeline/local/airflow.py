"""Airflow as child processes of this one, for the demo, ``make up`` and the tests.

All it keeps lies under ``<home>/airflow`` (SQLite metadata, secrets made for this home alone) and ``<home>/logs``; it
listens on 127.0.0.1 only.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import SecretStr

from pipeline.local.airflow_client import ADMIN, AirflowApi, AirflowError
from pipeline.private import make_folder, write_file
from pipeline.resources import PACKAGE, ROOT
from pipeline.settings import Settings

COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
# Answers to questions on Airflow's page of required actions pass through it: only where people look at pages.
TRIGGERER = {"triggerer": ("triggerer", "--skip-serve-logs")}
# Loaded once, in the process that tasks are forked from: a task that imports them itself takes seconds longer.
PRELOADED = (
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.standard.operators.python",
    "great_expectations",
    "pipeline.actions.measures.decide",
    "pipeline.actions.rebates.propose",
    "pipeline.customers.compute_indices",
    "pipeline.customers.group",
    "pipeline.grading.grade",
    "pipeline.grading.sensitivity",
    "pipeline.ingest.extract",
    "pipeline.ingest.validate",
    "pipeline.models.choose_model",
    "pipeline.models.retrain",
    "pipeline.monitoring.monitor",
    "pipeline.publishing.publish",
    "pipeline.report.report",
)
START_SECONDS = 240
STOP_SECONDS = 10


@contextmanager
def running(
    settings: Settings,
    *,
    port: int | None = None,
    has_triggerer: bool = False,
    echo: Callable[[str], None] = lambda line: None,
) -> Iterator[AirflowApi]:
    """Airflow, ready to run the project's DAGs; stopped when the block ends, also by an error.

    AirflowError when it does not start, or runs for this home already.
    """
    folder, logs = settings.home / "airflow", settings.home / "logs"
    with _only_one(folder), _terminated_as_interrupt():
        stop(settings)
        port = port or free_port()
        environment = _environment(settings, port)
        processes: dict[str, subprocess.Popen] = {}
        try:
            _migrate(folder, environment, logs, echo)
            echo("starting Airflow")
            for name, command in (COMPONENTS | (TRIGGERER if has_triggerer else {})).items():
                processes[name] = _start(command, environment, logs / f"{name}.log")
                _remember(folder, processes)
            password = json.loads(password_file(settings).read_text())[ADMIN]
            airflow = AirflowApi(f"http://127.0.0.1:{port}", logs, password, lambda: require_alive(processes, logs))
            airflow.wait_until_ready(START_SECONDS)
            yield airflow
        finally:
            end_processes(process.pid for process in processes.values())
            for process in processes.values():
                process.wait()
            (folder / "processes.json").unlink(missing_ok=True)


def stop(settings: Settings) -> None:
    """Stop the Airflow of a home, whoever started it; nothing happens where none runs."""
    record = settings.home / "airflow" / "processes.json"
    try:
        recorded = json.loads(record.read_text())
    except (OSError, ValueError):
        return
    end_processes(pid for pid, started in recorded.values() if _started(pid) == started)
    record.unlink(missing_ok=True)


def password_file(settings: Settings) -> Path:
    """JSON: the password of each user of the UI."""
    return settings.home / "airflow" / "passwords.json"


def free_port(wanted: int = 0) -> int:
    """``wanted`` or the next free port of 127.0.0.1 after it; any free one without."""
    for port in range(wanted, wanted + 100) if wanted else (0,):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise AirflowError(f"no port from {wanted} to {wanted + 99} is free")


def require_alive(processes: dict[str, subprocess.Popen], logs: Path) -> None:
    """AirflowError when one of the processes has ended, or was asked to end."""
    for name, process in processes.items():
        if process.poll() in (0, -signal.SIGTERM):
            raise AirflowError("Airflow was stopped")
        if process.poll() is not None:
            raise AirflowError(f"Airflow's {name} ended with {process.returncode}: see {logs / name}.log")


def end_processes(pids: Iterable[int]) -> None:
    """End processes and all they started: asked first, and after STOP_SECONDS by force."""
    pids = list(pids)
    for pid in pids:
        _signal(os.kill, pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in pids:
        _signal(os.killpg, pid, signal.SIGKILL)


def clean_environment() -> dict[str, str]:
    """This process's environment without what is meant for another Airflow, or makes Python start slowly."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith("AIRFLOW") and name not in unwanted
    }


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """For Airflow's processes: this home and this checkout."""
    folder = settings.home / "airflow"
    keys = _secrets(settings)
    url = f"http://127.0.0.1:{port}"
    airflow = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": keys["session"],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["tokens"],
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MP_FORKSERVER_PRELOAD": ",".join(PRELOADED),
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(settings)),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        # SQLite has one writer at a time, who may be slow on a machine with other work.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db?timeout=60",
        # A file that changes is read again at once all the same.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.home / "logs"),
        "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
        # A month is a chain of short tasks, and each would wait up to a second to be noticed.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(PACKAGE.parent),
    }
    return clean_environment() | _gridgrade(settings) | airflow


def _gridgrade(settings: Settings) -> dict[str, str]:
    """The settings as the variables they are read from."""
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if value is not None
    }
    return {f"GRIDGRADE_{name.upper()}": value for name, value in plain.items()}


def _secrets(settings: Settings) -> dict[str, str]:
    """Keys and the admin's password, made once per home and readable by its owner only."""
    kept = settings.home / "airflow" / "secrets.json"
    if not kept.exists():
        fernet = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        keys = {"fernet": fernet, "session": secrets.token_urlsafe(32), "tokens": secrets.token_urlsafe(64)}
        write_file(password_file(settings), json.dumps({ADMIN: secrets.token_urlsafe(12)}) + "\n")
        write_file(kept, json.dumps(keys))
    return json.loads(kept.read_text())


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One Airflow a home. The lock goes with the process that holds it."""
    make_folder(folder)
    lock = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AirflowError(f"Airflow runs for {folder.parent} already: stop it with make down") from None
        yield
    finally:
        os.close(lock)


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that child processes are stopped."""

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
    make_folder(logs)
    log = logs / "airflow-db-migrate.log"
    process = _start(("db", "migrate"), environment, log)
    try:
        if process.wait():
            raise AirflowError(f"Airflow's database cannot be prepared: see {log}")
    finally:
        end_processes([process.pid])
    migrated.write_text(current)


def _start(command: tuple[str, ...], environment: dict[str, str], log: Path) -> subprocess.Popen:
    """In a process group of its own: Ctrl-C reaches the parent, which then ends the group."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            cwd=PACKAGE.parent,
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


def _runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(pid, number)
