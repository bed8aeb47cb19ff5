"""What MariaDB and MySQL bring: BIT for yes and no, dates that are none, clocks of their own, names and passwords."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from sqlalchemy import URL, create_engine, text

from pipeline.errors import SourceContractError, SourceUnavailableError
from pipeline.source import table
from pipeline.source.read import BillingSystem
from pipeline.source.write import arrow_schema, replace_tables
from tests.support.mariadb import PASSWORD, running

pytestmark = pytest.mark.mariadb
SPAN = {
    "recorded_from": datetime(2026, 9, 30, 16, tzinfo=UTC),
    "recorded_before": datetime(2026, 10, 31, 16, tzinfo=UTC),
}


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    with running() as url:
        administer(url, "create user reader identified by :password", password=PASSWORD)
        yield url


def administer(url: URL, *statements: str, **parameters) -> None:
    with create_engine(url).begin() as connection:
        for statement in statements:
            connection.execute(text(statement), parameters)


@pytest.fixture
def cis(server) -> Iterator[URL]:
    """An empty billing system, as its owner."""
    administer(server, "create database cis character set utf8mb4")
    yield server.set(database="cis")
    administer(server, "drop database cis")


def as_reader(url: URL) -> URL:
    return url.set(username="reader", password=PASSWORD)


def rows(url: URL, name: str, **bounds) -> list[dict]:
    with BillingSystem(url) as source:
        query = source.query(table(name))
        with source.reading(query, **bounds) as reading:
            found = reading.batches.read_all().to_pylist()
    assert reading.rows == len(found)
    return found


@pytest.fixture
def extract_queries(tmp_path, monkeypatch):
    """The folder of a project's extract queries."""
    folder = tmp_path / "sql" / "extract"
    folder.mkdir(parents=True)
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    return folder


@pytest.fixture
def payments_query(extract_queries):
    """``payments_query(text)`` writes the extract query of payments."""
    return (extract_queries / "payments.sql").write_text


def test_a_schema_of_its_own_kind_arrives_as_what_it_means(cis, extract_queries):
    administer(
        cis,
        """create table `Order` (
            `key` varchar(20), `Account` varchar(20), `group` date, bill_date date, due datetime, total decimal(12, 2),
            energy double, `estimated?` bit(1), replaces varchar(20), entered timestamp(3) null
        )""",
        "set sql_mode = ''",
        """insert into `Order` values
            ('1', '0042', '2026-10-01', '2026-10-02', '2026-10-20', 12.3, 100.5, b'0', null, '2026-10-02 09:00:00.125'),
            ('2', '张三', '2026-10-01', '2026-10-03', 0, -5, null, b'1', '1', '2026-10-31 23:59:59'),
            ('3', 'x', '0000-00-00', '2026-11-01', '2026-11-20', 1, 1, null, null, '2026-11-01 00:00:00')""",
        "create view `read only` as select * from `Order`",
        "grant select on cis.`read only` to reader",
    )
    (extract_queries / "bills.sql").write_text(
        """select `key` as bill_id, `Account` as Customer_ID, `group` as billing_month, bill_date as issued_on,
            due as due_on, total as amount, energy as kwh, `estimated?` as is_estimated, replaces as cancels_bill_id,
            entered as recorded_at
        from `cis`.`read only` where entered >= :recorded_from and entered < :recorded_before"""
    )
    first, second = sorted(rows(as_reader(cis), "bills", **SPAN), key=lambda row: row["bill_id"])
    assert (first["is_estimated"], second["is_estimated"]) == ("0", "1")
    assert (first["due_on"], second["due_on"]) == ("2026-10-20T00:00:00", None)
    assert (second["customer_id"], second["amount"], second["cancels_bill_id"]) == ("张三", "-5.00", "1")
    # A TIMESTAMP is an instant: 9 o'clock in Shanghai, whose clock the server keeps.
    assert (first["recorded_at"], second["recorded_at"]) == ("2026-10-02T01:00:00.125000", "2026-10-31T15:59:59")
    with BillingSystem(as_reader(cis)) as source:
        query = source.query(table("bills"))
        assert source.first_recorded(query, SPAN["recorded_before"]) == datetime(
            2026, 10, 2, 1, 0, 0, 125_000, tzinfo=UTC
        )


def test_ids_that_differ_in_case_stay_apart(cis):
    base = {"segment": "residential", "region": "n", "connected_on": datetime(2020, 1, 1, tzinfo=UTC).date()}
    known = [
        base | {"customer_id": name, "recorded_at": datetime(2026, 10, day, 1, 2, 3, 456_789, tzinfo=UTC)}
        for day, name in enumerate(("a1", "A1", "ä1"), start=1)
    ]
    batch = pa.RecordBatch.from_pylist(known, schema=arrow_schema("customers"))
    replace_tables(cis, [("customers", batch)])
    found = rows(cis, "customers", recorded_before=SPAN["recorded_before"])
    assert {(row["customer_id"], row["recorded_at"]) for row in found} == {
        ("a1", "2026-10-01T01:02:03.456789"),
        ("A1", "2026-10-02T01:02:03.456789"),
        ("ä1", "2026-10-03T01:02:03.456789"),
    }


def test_ids_that_the_database_holds_equal_are_named(cis, payments_query):
    administer(
        cis,
        "create table receipt (no varchar(20), entered timestamp) collate utf8mb4_general_ci",
        "insert into receipt values ('a1', '2026-10-02'), ('A1', '2026-10-02'), ('b1', '2026-10-02')",
    )
    payments_query(
        "select no as payment_id, no as customer_id, date(entered) as paid_on, 1.00 as amount, entered as recorded_at "
        "from receipt where entered >= :recorded_from and entered < :recorded_before"
    )
    with BillingSystem(cis) as source:
        query = source.query(table("payments"))
        assert source.ids_in_two_cases(query, "payment_id") == ["a1"]
        assert source.ids_in_two_cases(query, "customer_id", (query, "payment_id")) == []


def test_quotes_and_comments_are_the_databases_own(cis, payments_query):
    administer(
        cis,
        "create table receipt (no varchar(20), paid date, amount decimal(12, 2), entered timestamp null)",
        "insert into receipt values ('1', '2026-10-02', 5, '2026-10-02 09:00:00')",
    )
    payments_query(
        r"""select no as payment_id, 'it\'s # :account' as customer_id, "a\":b" as channel, # not :this
            paid as paid_on, amount--1 as amount, date_format(entered, '%Y-%m-%dT%H:%i:%s') as recorded_at -- nor :that
        from /*! receipt */
        where entered >= :recorded_from and entered < :recorded_before; # done"""
    )
    [row] = rows(cis, "payments", **SPAN)
    assert (row["customer_id"], row["channel"], row["amount"]) == ("it's # :account", 'a":b', "6.00")
    assert row["recorded_at"] == "2026-10-02T01:00:00"


def test_what_may_not_be_read_is_one_line_and_no_password(cis, payments_query):
    administer(
        cis,
        "create table secret (a int)",
        "create table open_to_all (a int)",
        "grant select on cis.open_to_all to reader",
    )
    payments_query("select a from secret where a > :recorded_from and a < :recorded_before")
    with BillingSystem(as_reader(cis)) as source, pytest.raises(SourceContractError) as refused:
        source.query(table("payments"))
    assert "SELECT command denied" in str(refused.value)
    wrong = as_reader(cis).set(password=PASSWORD + "!")
    with BillingSystem(wrong) as source, pytest.raises(SourceUnavailableError) as away:
        source.query(table("payments"))
    assert "Access denied" in str(away.value)
    for message in (str(refused.value), str(away.value)):
        assert "\n" not in message
        assert PASSWORD not in message


def test_a_wrong_query_is_refused_in_the_servers_words(cis, payments_query):
    administer(cis, "create table receipt (a int)")
    payments_query("select nonsense( from receipt where :recorded_from < :recorded_before")
    with (
        BillingSystem(cis) as source,
        pytest.raises(SourceContractError, match=r"refuses .*sql/extract/payments\.sql.*syntax"),
    ):
        source.query(table("payments"))
