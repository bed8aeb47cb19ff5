"""A MariaDB of the tests' own, where the machine has one: Debian's package mariadb-server."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError

PASSWORD = "p@ss:w/rd%?#'\"\\ 电"
_SECONDS_TO_START = 120


@contextmanager
def running() -> Iterator[URL]:
    """Its address as an administrator, database ``mysql``; its clock is Shanghai's. The test is skipped without one."""
    program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not program:
        pytest.skip("no mariadbd: Debian's package mariadb-server has it")
    with tempfile.TemporaryDirectory(prefix="mariadb") as folder:  # short: a socket's path may have 107 characters
        data, socket = Path(folder) / "data", Path(folder) / "socket"
        options = ["--no-defaults", f"--datadir={data}"]
        subprocess.run(
            ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )
        server = subprocess.Popen(
            [
                program,
                *options,
                f"--socket={socket}",
                f"--pid-file={folder}/pid",
                "--skip-networking",
                "--user=root",
                "--default-time-zone=+08:00",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = URL.create("mysql+pymysql", "root", database="mysql", query={"unix_socket": str(socket)})
            _wait_for(url, server)
            yield url
        finally:
            server.terminate()
            server.wait()


def _wait_for(url: URL, server: subprocess.Popen) -> None:
    engine = create_engine(url)
    until = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("select 1"))
            engine.dispose()
            return
        except OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)
