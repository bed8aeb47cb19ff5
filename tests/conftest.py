"""What tests of several parts need: one PostgreSQL a session, a fresh source and warehouse a test."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from pipeline.local.postgres import CIS, PIPELINE, EmbeddedPostgres
from pipeline.local.postgres_roles import read_passwords
from pipeline.policy import Policy
from pipeline.settings import Settings
from tests.support.records.kept import query

pytest_plugins = ["tests.support.fixtures", "tests.support.console", "tests.support.s3", "tests.support.spark"]

CONSOLE = "tests/airflow/test_console_"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL or the sample utility, which make quick leaves out. Airflow's runs come first: they
    take longest and wait more than they work, so that the rest fits beside them."""
    for item in items:
        for marker, fixture in (("database", "postgres"), ("sample", "sample")):
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    items.sort(key=lambda item: "airflow" not in item.keywords)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By file, as --dist loadfile, but the console's files in one process: they share Airflow's API server."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope = super()._split_scope(nodeid)
            return CONSOLE if scope.startswith(CONSOLE) else scope

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory) -> Iterator[EmbeddedPostgres]:
    """The server. Its own databases ``source`` and ``warehouse`` stay empty but for their roles' privileges."""
    folder = tmp_path_factory.mktemp("embedded") / "postgres"
    server = EmbeddedPostgres.running(folder)
    # A database a test is quick only if it need not reach the disk, and if the kernel copies its files.
    settings = ("fsync = off", "file_copy_method = clone")
    _admin(server, *(f"alter system set {setting}" for setting in settings), "select pg_reload_conf()")
    try:
        _admin(server, "create database copied template template0 strategy file_copy", "drop database copied")
    except psycopg.Error:  # a file system that cannot
        _admin(server, "alter system reset file_copy_method", "select pg_reload_conf()")
    # A test connects often: the passwords are random, and need not be slow to check.
    passwords = read_passwords(folder).items()
    quick = (f"alter role {role} password '{password}'" for role, password in passwords)
    _admin(server, "set scram_iterations = 1", *quick)
    yield server
    EmbeddedPostgres.stop(folder)


def _admin(postgres: EmbeddedPostgres, *statements: str) -> None:
    url = postgres.superuser.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _settings(postgres: EmbeddedPostgres, home, warehouse: URL, source: URL) -> Settings:
    return Settings(
        home=home,
        source_url=source.render_as_string(hide_password=False),
        warehouse_url=warehouse.render_as_string(hide_password=False),
        threads=2,
        memory_limit="1GB",
    )


@pytest.fixture(scope="session")
def _migrated(postgres, tmp_path_factory) -> str:
    """The name of a warehouse with all migrations, to copy from."""
    from pipeline.warehouse.migrations import migrate

    _admin(postgres, f"create database migrated template warehouse owner {PIPELINE}")
    warehouse = postgres.warehouse.set(database="migrated")
    migrate(_settings(postgres, tmp_path_factory.mktemp("migrated"), warehouse, postgres.source_owner))
    return "migrated"


@pytest.fixture(scope="session")
def databases(postgres, _migrated) -> Callable[..., AbstractContextManager[Settings]]:
    """``with databases(home) as settings``: an empty lake, an empty source and a migrated, empty warehouse.

    ``databases(home, like=others)``: copies of theirs, lake and databases. ``settings.source`` is the owner, so that a
    test can fill it.
    """

    @contextmanager
    def created(home: Path, like: Settings | None = None) -> Iterator[Settings]:
        name = uuid.uuid4().hex[:12]
        source, warehouse = f"source_{name}", f"warehouse_{name}"
        templates = (like.source.database, like.warehouse.database) if like else ("source", _migrated)
        if like and like.lake_path.exists():
            shutil.copytree(like.lake_path, home / "lake")
        _admin(
            postgres,
            f"create database {source} template {templates[0]} owner {CIS} strategy file_copy",
            f"create database {warehouse} template {templates[1]} owner {PIPELINE} strategy file_copy",
        )
        yield _settings(
            postgres,
            home,
            postgres.warehouse.set(database=warehouse),
            postgres.source_owner.set(database=source),
        )
        _admin(postgres, f"drop database {source} with (force)", f"drop database {warehouse} with (force)")

    return created


@pytest.fixture
def settings(databases, tmp_path) -> Iterator[Settings]:
    """Settings of ``databases`` that are of this test alone."""
    with databases(tmp_path / "home") as settings:
        yield settings


@pytest.fixture
def sql(settings) -> Callable[..., list[tuple]]:
    """Run a statement in the warehouse of the test: ``sql("select ...", parameter)`` gives its rows."""
    return partial(query, settings)


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The policy that comes with the project."""
    return Policy.load()
