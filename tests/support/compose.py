"""docker-compose.yaml's services as processes of this machine, each by its own command, environment and secrets."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.local.airflow import clean_environment, end_processes, free_port
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.resources import ROOT

FILE = ROOT / "docker-compose.yaml"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:\?[^}]*)?\}")
START_SECONDS = 240
# As the containers: read-only but for the folders that are named first; no capability, and none to be had.
CONFINED = """
folders=$1; shift
for folder in $folders; do mount --bind "$folder" "$folder"; done
mount -o remount,ro,bind /
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def make_secrets(folder: Path) -> Path:
    """``make secrets`` in a folder; the folder of secrets that it makes there."""
    shutil.copy(ROOT / "Makefile", folder)
    subprocess.run(["make", "-C", str(folder), "secrets"], check=True, capture_output=True)
    return folder / "secrets"


class Native:
    """The file's services: hosts, ports and paths of this machine are put in place of the containers'.

    ``secrets`` is the folder that ``make secrets`` makes, ``project`` the utility's own. A service sees the secrets
    that it is given, an /opt/airflow of its own but for the logs, and an empty home. Where root runs the tests, it can
    write nowhere but to its tmpfs and its volumes, and has no capability.
    """

    def __init__(
        self, folder: Path, secrets: Path, project: Path, postgres: EmbeddedPostgres, postgres_bin: Path
    ) -> None:
        compose = yaml.safe_load(FILE.read_text())
        self.services = compose["services"]
        self.folder, self.secrets, self.project, self.postgres = folder, secrets, project, postgres
        self.api, self.redis, self.health = free_port(), free_port(), free_port()
        self.spark, self.spark_pages, self.spark_worker_pages = free_port(), free_port(), free_port()
        self.processes: dict[str, subprocess.Popen] = {}
        self._path = os.pathsep.join([str(Path(sys.executable).parent), str(postgres_bin), os.environ["PATH"]])
        (folder / "logs").mkdir()
        (folder / "state").mkdir(mode=0o700)
        for name in self.services:
            self._mount(name)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def place(self, name: str) -> Path:
        """Where a service's own files are."""
        return self.folder / "services" / name

    def _mount(self, name: str) -> None:
        place = self.place(name)
        for folder in ("airflow", "data", "home", "secrets", "spark", "tmp"):
            (place / folder).mkdir(parents=True)
        (place / "airflow" / "logs").symlink_to(self.folder / "logs")
        for secret in self.services[name].get("secrets", ()):
            (place / "secrets" / secret).write_text(self._here(name, self.secret(secret)))

    def _here(self, name: str, value: str) -> str:
        place = self.place(name)
        for there, here in (
            ("redis:6379", f"127.0.0.1:{self.redis}"),
            ("metadata:5432", f"127.0.0.1:{self.postgres.port}"),
            ("warehouse:5432", f"127.0.0.1:{self.postgres.port}"),
            ("api-server:8080", f"127.0.0.1:{self.api}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.api}"),
            ("localhost:8080", f"127.0.0.1:{self.api}"),
            ("localhost:8974", f"127.0.0.1:{self.health}"),
            ("spark-master:7077", f"127.0.0.1:{self.spark}"),
            ("spark-master:8080", f"127.0.0.1:{self.spark_pages}"),
            ("localhost:8081", f"127.0.0.1:{self.spark_worker_pages}"),
            ("spark-master", "127.0.0.1"),
            ("driver.host=worker", "driver.host=127.0.0.1"),
            ("/var/lib/spark", f"{place}/spark"),
            ("/data/redis.conf --", f"/data/redis.conf --port {self.redis} --bind 127.0.0.1 --dir '{place}/data' --"),
            ("/data/redis.conf", f"{place}/data/redis.conf"),
            ("redis-cli ", f"redis-cli -p {self.redis} "),
            ("/opt/gridgrade", str(ROOT)),
            ("/run/secrets", f"{place}/secrets"),
            ("/srv/gridgrade", str(self.project)),
            ("/srv/reader_limits.sql", str(ROOT / "sql" / "warehouse" / "reader_limits.sql")),
            ("/var/lib/gridgrade", str(self.folder / "state")),
            ("/tmp/gridgrade", f"{place}/tmp/gridgrade"),
        ):
            value = value.replace(there, here)
        return value

    def text(self, name: str, value: str) -> str:
        """A value of the file as compose and this machine read it."""
        return self._here(name, value.replace("$$", "$"))

    def environment(self, name: str) -> dict[str, str]:
        place = self.place(name)
        here = {
            "PATH": self._path,
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "AIRFLOW_HOME": str(place / "airflow"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.api),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.health),
            "HOSTNAME": socket.gethostname(),
            "PGPORT": str(self.postgres.port),
            "SPARK_MASTER_PORT": str(self.spark),
            "SPARK_MASTER_WEBUI_PORT": str(self.spark_pages),
            "SPARK_WORKER_WEBUI_PORT": str(self.spark_worker_pages),
        }
        given = {key: value for key, value in self.services[name].get("environment", {}).items() if value is not None}
        given = {key: self.text(name, value) for key, value in given.items()}
        return clean_environment() | given | here

    def command(self, name: str) -> list[str]:
        """What the container runs; Airflow's image puts ``airflow`` before it."""
        service = self.services[name]
        command = service["command"]
        if isinstance(command, str):
            command = [sys.executable, "-m", "airflow", *command.split()]
        else:
            command = [*service["entrypoint"], *(self.text(name, part) for part in command)]
        if os.geteuid() != 0:
            return command
        folders = " ".join(str(folder) for folder in self._writable(name))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", CONFINED, "sh", folders, *command]

    def _writable(self, name: str) -> list[Path]:
        service, place = self.services[name], self.place(name)
        tmpfs = {"/opt/airflow": place / "airflow", "/tmp": place / "tmp", "/data": place / "data"}
        volumes = {"logs": self.folder / "logs", "gridgrade": self.folder / "state", "spark": place / "spark"}
        mounted = [volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.endswith(":ro")]
        return [tmpfs[path] for path in service["tmpfs"] if path in tmpfs] + [volumes[volume] for volume in mounted]

    def start(self, name: str) -> None:
        """As a process that goes on, until its health check passes."""
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
        check = [self.text(name, part) for part in check]
        check = ["sh", "-c", *check] if kind == "CMD-SHELL" else check
        deadline = time.monotonic() + START_SECONDS
        while True:
            done = subprocess.run(check, env=self.environment(name), cwd=self.folder, capture_output=True, check=False)
            if done.returncode == 0:
                return
            process = self.processes.get(name)
            if (process and process.poll() is not None) or time.monotonic() > deadline:
                log = self.folder / f"{name}.log"
                said = log.read_text()[-3000:] if log.exists() else ""
                pytest.fail(f"{name} is not healthy: {done.stderr.decode()[-500:]}\n{said}")
            time.sleep(1)

    def stop(self) -> None:
        """End all that ``start`` began."""
        end_processes([process.pid for process in self.processes.values()])
        for process in self.processes.values():
            process.wait()

    def processes_of(self, name: str) -> list[psutil.Process]:
        """The service's process and all that it started."""
        process = psutil.Process(self.processes[name].pid)
        return [process, *process.children(recursive=True)]

    def run(self, name: str) -> None:
        """A service that ends when it is done."""
        done = subprocess.run(
            self.command(name),
            env=self.environment(name),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
