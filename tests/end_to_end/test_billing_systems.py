"""The same customers get the same grades whatever they are read from: CC&B, IS-U, MariaDB, SQLite."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import URL, create_engine

from pipeline.customers import compute_indices
from pipeline.grading import grade
from pipeline.ingest import extract, validate
from pipeline.lake import Lake
from pipeline.policy import Policy
from pipeline.resources import SQL
from pipeline.sample import LAST, generate
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema, replace_tables
from tests.support import mariadb
from tests.support.records.indices import MODELS, expert, register

pytestmark = pytest.mark.trial

SCRIPTS = Path(__file__).parents[1] / "support" / "billing_systems"
CUSTOMERS = 250
MONTHS = 16
TABLES = ("customers", "bills", "payments", "collection_events")


def psql(url, text: str) -> list[tuple]:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def queries(folder: Path) -> Iterator[None]:
    """The extract queries of this folder in the place of the package's."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as project:
        (Path(project) / "sql").mkdir()
        (Path(project) / "sql" / "extract").symlink_to(folder)
        patch.setenv("GRIDGRADE_PROJECT", project)
        yield


@pytest.fixture(scope="module")
def policy() -> Policy:
    """One whose months end by the billing systems' clocks."""
    return Policy(**Policy.load().model_dump(mode="json") | {"timezone": "Asia/Shanghai"})


@pytest.fixture(scope="module")
def utility(databases, policy, tmp_path_factory) -> Iterator[Settings]:
    """A source with what both systems can tell of the sample utility, and expert scorecards; nothing rated."""
    with databases(tmp_path_factory.mktemp("utility")) as settings:
        replace_tables(settings.source, generate(CUSTOMERS, MONTHS))
        psql(settings.source, (SCRIPTS / "restricted.sql").read_text())
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        yield settings


def rated(settings: Settings, policy: Policy) -> dict[str, list[tuple]]:
    """What becomes of October's customers: their indices and their grades."""
    month = (LAST, settings, policy)
    extract.extract(*month)
    assert sum(validate.validate(*month)["quarantined"].values()) == 0
    compute_indices.compute_indices(*month)
    grade.grade(*month, models=MODELS)
    lake = Lake(settings.lake_path)
    files = {name: lake.files(name, rating_month=LAST, basis="as_known_then") for name in ("indices", "grades")}
    return {
        name: duckdb.read_parquet([str(file) for file in found]).order("customer_id").fetchall()
        for name, found in files.items()
    }


@pytest.fixture(scope="module")
def through_contract(databases, utility, policy, tmp_path_factory) -> dict[str, list[tuple]]:
    with databases(tmp_path_factory.mktemp("contract"), like=utility) as settings:
        return rated(settings, policy)


@pytest.mark.parametrize("system", ["ccb", "sap_isu"])
def test_through_a_template_the_same_customers_get_the_same_grades(
    databases, utility, through_contract, policy, tmp_path, system
):
    with databases(tmp_path, like=utility) as settings, queries(SQL / "templates" / system / "extract"):
        psql(settings.source, (SCRIPTS / f"{system}.sql").read_text())
        assert len(through_contract["grades"]) > CUSTOMERS * 0.8
        assert rated(settings, policy) == through_contract


@pytest.mark.parametrize("system", ["ccb", "sap_isu"])
def test_a_templates_balances_are_what_was_billed_and_not_paid(databases, utility, tmp_path, system):
    expected = psql(
        utility.source,
        """
        select customer_id, sum(amount)
        from (
            select b.customer_id, b.amount
            from bills as b
            where (b.amount > 0 or b.cancels_bill_id is null)
                and not exists (select 1 from bills as c where c.cancels_bill_id = b.bill_id)
            union all
            select customer_id, case when reverses_payment_id is null then -amount else amount end from payments
        ) as moved
        group by customer_id
        having sum(amount) <> 0
        order by customer_id
        """,
    )
    written_off = psql(utility.source, "select customer_id from collection_events where event_type = 'write_off'")
    balances = (SQL / "templates" / system / "extract" / "account_balances.sql").read_text()
    text = "\n".join(line for line in balances.splitlines() if not line.startswith("--"))
    for name, instant in (("recorded_from", "2026-11-01 00:00+08"), ("recorded_before", "2026-12-01 00:00+08")):
        text = text.replace(f":{name}", f"timestamptz '{instant}'")
    with databases(tmp_path, like=utility) as settings:
        psql(settings.source, (SCRIPTS / f"{system}.sql").read_text())
        found = sorted(psql(settings.source, text))
    assert {(as_of, recorded_at) for _, as_of, _, recorded_at in found} == {("2026-11-30", "2026-11-30 15:59:59Z")}
    left_out = set(written_off)
    assert [(name, balance) for name, _, balance, _ in found if balance and (name,) not in left_out] == [
        row for row in expected if row[:1] not in left_out
    ]


@pytest.fixture
def sqlite_file(tmp_path) -> URL:
    return URL.create("sqlite", database=str(tmp_path / "cis.db"))


@pytest.fixture
def mariadb_server() -> Iterator[URL]:
    with mariadb.running() as url:
        with create_engine(url).begin() as connection:
            connection.exec_driver_sql("create database cis")
        yield url.set(database="cis")


@pytest.mark.parametrize("database", ["sqlite_file", pytest.param("mariadb_server", marks=pytest.mark.mariadb)])
def test_from_another_database_the_same_customers_get_the_same_grades(
    databases, utility, through_contract, policy, tmp_path, request, database
):
    url = request.getfixturevalue(database)
    replace_tables(url, ((name, held(utility, name)) for name in TABLES))
    with databases(tmp_path / "home", like=utility) as settings:
        elsewhere = {"source_url": url.render_as_string(hide_password=False)}
        assert rated(Settings(**settings.model_dump() | elsewhere), policy) == through_contract


def held(settings: Settings, name: str) -> pa.RecordBatch:
    schema = arrow_schema(name)
    rows = psql(settings.source, f"select {', '.join(schema.names)} from {name}")
    return pa.RecordBatch.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
