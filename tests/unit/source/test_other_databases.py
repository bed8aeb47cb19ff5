"""Oracle and SQL Server, as far as it goes without a server; and drivers that will not do."""

from datetime import UTC, datetime

import pytest
import sqlglot
from sqlalchemy import URL
from sqlalchemy.dialects import mssql, oracle

from pipeline.errors import ConfigError, SourceUnavailableError
from pipeline.resources import SQL
from pipeline.settings import Settings
from pipeline.source import contract, table
from pipeline.source.read import BEGINNING, BillingSystem

OURS = sorted((SQL / "extract").glob("*.sql"))
TEMPLATES = sorted((SQL / "templates").glob("*/extract/*.sql"))
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def query(path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("--"))


@pytest.mark.parametrize("path", OURS + TEMPLATES, ids=lambda path: "/".join(path.parts[-3:]))
@pytest.mark.parametrize("dialect", [oracle.dialect(), mssql.dialect()], ids=lambda dialect: dialect.name)
def test_a_query_binds_its_instants_and_nothing_else(path, dialect):
    source = BillingSystem(URL.create("oracle+oracledb", "u", "p", "nowhere"))
    bound = source._bound(query(path), {"recorded_from": BEGINNING, "recorded_before": NOON})
    compiled = bound.compile(dialect=dialect)
    assert set(compiled.params) <= {"recorded_from", "recorded_before"}
    assert all(value.tzinfo is None for value in compiled.params.values())
    assert compiled.params.get("recorded_before", NOON.replace(tzinfo=None)) == datetime(2026, 10, 1, 12)  # noqa: DTZ001


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_template_is_oracles_sql_and_returns_what_the_contract_requires(path):
    tree = sqlglot.parse_one(query(path), read="oracle")
    columns = {name.lower() for name in tree.named_selects}
    if path.stem not in contract():
        assert path.stem == "account_balances"
        return
    assert not table(path.stem).missing_columns(columns)


def test_an_oracle_that_does_not_answer_is_one_line():
    away = URL.create("oracle+oracledb", "u", "s3cret#", "127.0.0.1", 1, query={"service_name": "CIS"})
    with BillingSystem(away) as source, pytest.raises(SourceUnavailableError, match=r"127\.0\.0\.1:1/") as caught:
        source.query(table("bills"))
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("drivername", ["oracle+oracledb", "postgresql+psycopg", "mysql+pymysql"])
def test_a_host_that_is_not_found_is_one_line_that_names_the_setting(drivername):
    away = URL.create(drivername, "u", "s3cret#", "no-such-host.invalid", database="cis")
    with (
        BillingSystem(away) as source,
        pytest.raises(SourceUnavailableError, match=r"no-such-host\.invalid.*GRIDGRADE_SOURCE_URL") as caught,
    ):
        source.query(table("bills"))
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("mysql://u:p@h/d", r"pip install pymysql and write mysql\+pymysql://"),
        ("mssql://u:p@h/d", r"pip install pyodbc and write mssql\+pyodbc://"),
        ("mysql+nosuch://u:p@h/d", r"pip install pymysql"),
        ("nosuch://u:p@h/d", "pip install one that SQLAlchemy can use"),
        ("postgresql+asyncpg://u:p@h/d", "driver.*: write postgresql://"),
        ("postgresql+psycopg_async://u:p@h/d", r"asynchronous driver: write postgresql://"),
        ("oracle+oracledb_async://u:p@h/d", r"asynchronous driver: write oracle\+oracledb://"),
        ("sqlite+aiosqlite:///d", "asynchronous driver: write sqlite://|no driver is installed"),
    ],
)
def test_a_driver_that_will_not_do_is_one_line_with_the_way_out(url, way_out):
    with pytest.raises(ConfigError, match=way_out) as caught:
        Settings(source_url=url).source  # noqa: B018
    assert "\n" not in str(caught.value)
    assert "u:p@" not in str(caught.value)
