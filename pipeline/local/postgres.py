"""The embedded PostgreSQL, from a wheel: source and warehouse of an installation that has no others.

One cluster a folder. Any number of processes share it: the first one starts it, the last one to leave stops it. A
killed process leaves it running for the next. Every process that uses the server holds ``in-use.lock`` shared; the
kernel releases it when a process dies. Starting and stopping happen under ``start.lock``.

Only this machine can reach it (127.0.0.1, no Unix socket), and only with a password made for this cluster.
"""

import atexit
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import URL

from pipeline.errors import ConfigError
from pipeline.local.postgres_process import WAY_OUT, initialise, ready_port, start_server, stop_server
from pipeline.local.postgres_roles import (
    CIS,
    EXTRACT,
    PIPELINE,
    READER,
    SUPERUSER,
    create_roles_and_databases,
    make_passwords,
    read_passwords,
)
from pipeline.private import make_folder

_joined: dict[Path, "EmbeddedPostgres"] = {}
_joining = threading.Lock()


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running cluster that this process has joined."""

    folder: Path
    port: int
    _in_use: int = field(repr=False)
    _process: int = field(default_factory=os.getpid, repr=False)

    @classmethod
    def running(cls, folder: Path) -> "EmbeddedPostgres":
        """Join the cluster of a folder; make it and start it where needed.

        The server runs at least until this process ends. ConfigError when PostgreSQL cannot run here.
        """
        folder = Path(folder).expanduser().resolve()
        with _joining:
            known = _joined.get(folder)
            if known is None or ready_port(folder) != known.port:
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
            stop_server(folder)

    @cached_property
    def _passwords(self) -> dict[str, str]:
        return read_passwords(self.folder)

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
        make_folder(folder)
        with _starting(folder):
            in_use = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(in_use, fcntl.LOCK_SH)
                if not (folder / "data" / "PG_VERSION").exists():
                    initialise(folder, SUPERUSER, make_passwords(folder)[SUPERUSER])
                port = ready_port(folder) or start_server(folder)
                server = EmbeddedPostgres(folder, port, in_use)
                create_roles_and_databases(folder, server.superuser)
            except BaseException:
                os.close(in_use)
                raise
    except OSError as error:
        raise ConfigError(
            f"the embedded PostgreSQL cannot use {folder}: {error.strerror}; fix that {WAY_OUT}"
        ) from error
    atexit.register(_leave, server)
    return server


def _leave(server: EmbeddedPostgres) -> None:
    """At exit: leave, and stop the server when no other process uses it. A forked child leaves that to its parent."""
    if _joined.get(server.folder) is not server or server._process != os.getpid() or not server.folder.is_dir():
        return
    del _joined[server.folder]
    os.close(server._in_use)
    with _starting(server.folder), open(server.folder / "in-use.lock", "rb+") as in_use:
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop_server(server.folder)


@contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """One process at a time makes, starts or stops the server."""
    lock = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
