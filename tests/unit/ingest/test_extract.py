"""From a billing system that may be anything into partitions that are what the contract says."""

import random
import shutil
import socket
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from pipeline import resources
from pipeline.errors import LakeError, MonthNotClosedError, SourceContractError, SourceUnavailableError
from pipeline.ingest.extract import extract, is_month_closed, require_closed
from pipeline.ingest.validate import validate
from pipeline.lake import QUARANTINE, Lake
from pipeline.settings import Settings
from pipeline.source import contract
from tests.support.records.billing import (
    AUGUST,
    CUSTOMERS,
    OCTOBER,
    SEPTEMBER,
    bill,
    close,
    customer,
    fill,
    in_lake,
    in_source,
    records,
)


@pytest.fixture
def lake(settings):
    return Lake(settings.lake_path)


def with_source(settings, url: str, **changed):
    kept = {name: getattr(settings, name) for name in ("home", "warehouse_url", "threads", "memory_limit")}
    return Settings(**kept | {"source_url": url} | changed)


@pytest.fixture
def sqlite(settings, tmp_path):
    """The same billing system on another database, with a lake of its own."""
    return with_source(settings, f"sqlite:///{tmp_path / 'billing system.db'}", lake=tmp_path / "sqlite lake")


def test_one_partition_a_month_that_ties_to_the_source(settings, policy, lake):
    fill(settings, records())
    result = extract(OCTOBER, settings, policy)
    assert result["written"]["bills"] == {"partitions": 3, "rows": 3 * CUSTOMERS}
    assert result["written"]["customers"] == {"partitions": 1, "rows": CUSTOMERS}
    assert "violations" in result["absent"]
    assert lake.facts("bills") == [AUGUST, SEPTEMBER, OCTOBER]
    manifest = lake.manifest("bills", recorded_month=OCTOBER)
    assert manifest["rows"] == manifest["source_rows"] == CUSTOMERS
    assert manifest["sums"] == manifest["source_sums"] == {"amount": "1047.50"}
    columns = "bill_id, customer_id, issued_on, due_on, amount, kwh, kvarh, period_start"
    [row, *_] = in_lake(settings, "bills", columns, recorded_month=OCTOBER)
    assert row[:4] == ("B-2026-10-000", "C000", date(2026, 10, 3), date(2026, 10, 23))
    assert row[4:] == (Decimal("100.25"), Decimal("321.125"), None, None)


def test_what_is_personal_stays_in_the_billing_system(settings, policy, lake):
    people = [customer(number, contact=f"c{number}@x.example") for number in range(CUSTOMERS)]
    fill(settings, records() | {"customers": people})
    extract(OCTOBER, settings, policy)
    tables = contract().values()
    personal = {(table.name, column.name) for table in tables for column in table.columns if column.is_personal}
    assert personal == {("customers", "contact")}
    for name, column in personal:
        names = [pq.read_schema(file).names for file in lake.path(name).rglob("*.parquet")]
        assert names
        assert not [found for found in names if column in found]


def test_what_is_there_is_not_read_again(settings, policy):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    in_source(settings, "drop table payments", "update bills set amount = 0")
    assert extract(OCTOBER, settings, policy)["written"] == {}


def test_only_what_the_window_needs_is_read(settings, policy, lake):
    fill(settings, records())
    short = policy.model_copy(update={"extract": policy.extract.model_copy(update={"history_months": 2})})
    extract(OCTOBER, settings, short)
    assert lake.facts("bills") == [SEPTEMBER, OCTOBER]
    extract(OCTOBER, settings, policy)
    assert lake.facts("bills") == [AUGUST, SEPTEMBER, OCTOBER]


def test_customers_are_as_they_were_known_at_the_cut_off(settings, policy):
    tables = records()
    september, november = datetime(2026, 9, 15, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    tables["customers"] += [
        customer(1, region="south", recorded_at=september),
        customer(2, region="south", recorded_at=november),
        customer(99, recorded_at=november),
    ]
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    regions = dict(in_lake(settings, "customers", "customer_id, region", snapshot_month=OCTOBER))
    assert len(regions) == CUSTOMERS
    assert (regions["C001"], regions["C002"]) == ("south", "north")


def test_the_customers_of_the_cohorts_come_too_as_they_were_known_then(settings, policy, lake):
    tables = records()
    tables["customers"].append(customer(1, region="south", recorded_at=datetime(2026, 9, 15, tzinfo=UTC)))
    fill(settings, tables)
    brief = policy.model_copy(update={"label": policy.label.model_copy(update={"horizon_months": 1})})
    extract(OCTOBER, settings, brief)
    assert lake.facts("customers") == [AUGUST, SEPTEMBER, OCTOBER]  # there are no bills of the cohorts before
    for month, region in ((AUGUST, "north"), (SEPTEMBER, "south")):
        assert dict(in_lake(settings, "customers", "customer_id, region", snapshot_month=month))["C001"] == region
    assert extract(OCTOBER, settings, brief)["written"] == {}
    assert validate(OCTOBER, settings, brief)["quarantined"]["customers"] == 0
    for month in (AUGUST, SEPTEMBER, OCTOBER):
        assert lake.manifest(QUARANTINE + "customers", snapshot_month=month)["rows"] == 0


def test_a_month_ends_when_it_ends_in_the_policys_time_zone(settings, policy):
    tables = records()
    late = datetime(2026, 10, 31, 17, tzinfo=UTC)  # the first of November in Shanghai
    tables["bills"].append(bill(1, OCTOBER, bill_id="late", recorded_at=late))
    fill(settings, tables)
    extract(OCTOBER, settings, policy.model_copy(update={"timezone": "Asia/Shanghai"}))
    assert len(in_lake(settings, "bills", recorded_month=OCTOBER)) == CUSTOMERS
    with pytest.raises(LakeError, match=r"another time zone than the policy's \(UTC\)"):
        extract(OCTOBER, settings, policy)


def test_the_order_of_rows_in_the_source_changes_no_byte(settings, policy, tmp_path):
    tables = records()
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    for rows in tables.values():
        random.Random(5).shuffle(rows)
    fill(settings, tables)
    again = settings.model_copy(update={"lake": tmp_path / "again", "threads": 1})
    extract(OCTOBER, again, policy)
    for month in (AUGUST, SEPTEMBER, OCTOBER):
        first, second = (Lake(s.lake_path).manifest("bills", recorded_month=month)["sha256"] for s in (settings, again))
        assert first == second


def test_any_other_database_gives_the_same_rows(settings, sqlite, policy):
    tables = records()
    tables["customers"].append(
        customer(3, closed_on=date(2026, 9, 1), recorded_at=datetime(2026, 9, 2, 3, 4, tzinfo=UTC))
    )
    for filled in (settings, sqlite):
        fill(filled, tables)
        extract(OCTOBER, filled, policy)
    for table in ("customers", "bills", "payments"):
        assert in_lake(sqlite, table) == in_lake(settings, table)
    manifest = Lake(sqlite.lake_path).manifest("bills", recorded_month=OCTOBER)
    assert manifest["sums"] == manifest["source_sums"]


# -- a billing system that is not what the contract says ---------------------------------------------------------


def test_a_required_table_that_is_missing_is_named(settings, policy):
    fill(settings, records())
    in_source(settings, "drop table payments")
    with pytest.raises(SourceContractError, match=r"no table payments; create it, or adapt sql/extract/payments.sql"):
        extract(OCTOBER, settings, policy)


def test_a_required_column_that_is_missing_is_named(settings, policy):
    fill(settings, records())
    in_source(settings, "alter table bills drop column due_on")
    with pytest.raises(SourceContractError, match=r"no column due_on in bills; add it, or adapt sql/extract/bills.sql"):
        extract(OCTOBER, settings, policy)


@pytest.mark.parametrize("database", ["settings", "sqlite"])
def test_an_optional_column_that_is_missing_is_null(database, request, policy):
    settings = request.getfixturevalue(database)
    fill(settings, records())
    in_source(
        settings,
        "alter table bills drop column kwh",
        "alter table customers drop column preferred_channel",
        "alter table customers drop column feeder_id",
    )
    extract(OCTOBER, settings, policy)
    assert in_lake(settings, "bills", "distinct kwh") == [(None,)]
    assert in_lake(settings, "customers", "distinct preferred_channel, feeder_id, region") == [(None, None, "north")]


def test_a_query_without_its_parameters_is_refused(settings, policy, tmp_path, monkeypatch):
    fill(settings, records())
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    folder = tmp_path / "sql" / "extract"
    folder.mkdir(parents=True)
    (folder / "bills.sql").write_text("-- uses :recorded_from and :recorded_before\nselect * from bills")
    with pytest.raises(SourceContractError, match=r"bills.sql does not use :recorded_from"):
        extract(OCTOBER, settings, policy)
    (folder / "bills.sql").write_text(
        "select bill_id, recorded_at from bills where recorded_at >= :recorded_from and recorded_at < :recorded_before"
    )
    with pytest.raises(SourceContractError, match=r"bills.sql returns no column customer_id, billing_month"):
        extract(OCTOBER, settings, policy)
    (folder / "bills.sql").write_text(
        "select no_such_function(1) from bills where recorded_at >= :recorded_from and recorded_at < :recorded_before"
    )
    with pytest.raises(SourceContractError, match=r"refuses .*/sql/extract/bills.sql: function no_such_function"):
        extract(OCTOBER, settings, policy)


def test_a_query_of_the_project_stands_for_ours_and_an_empty_one_for_no_table(settings, policy, tmp_path, monkeypatch):
    fill(settings, records())
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    folder = tmp_path / "sql" / "extract"
    folder.mkdir(parents=True)
    ours = resources.file(resources.EXTRACT, "bills.sql").read_text()
    (folder / "bills.sql").write_text(ours.replace("kwh,", "kwh * 1000 as kwh,"))
    (folder / "arrears.sql").write_text("-- we have no arrears register\n")
    extract(OCTOBER, settings, policy)
    assert in_lake(settings, "bills", "distinct kwh") == [(Decimal("321125.000"),)]
    assert not Lake(settings.lake_path).facts("arrears")
    (folder / "payments.sql").write_text("")
    shutil.rmtree(settings.lake_path / "payments")
    with pytest.raises(SourceContractError, match=r"payments: .*/sql/extract/payments.sql holds no query"):
        extract(OCTOBER, settings, policy)


def test_values_of_a_wrong_type_are_kept_as_they_came(settings, policy, lake):
    fill(settings, records())
    in_source(
        settings,
        "alter table payments alter column amount type numeric",
        "update payments set amount = 'NaN' where payment_id = 'P-2026-10-001'",
        "update payments set amount = '-Infinity' where payment_id = 'P-2026-10-002'",
        "alter table bills alter column due_on type text",
        "alter table bills alter column kwh type double precision",
        "alter table bills alter column amount type text",
        "update bills set due_on = 'so\"on', kwh = 'Infinity', amount = '12,50' where bill_id = 'B-2026-10-003'",
        "update bills set issued_on = 'infinity' where bill_id = 'B-2026-10-004'",
    )
    extract(OCTOBER, settings, policy)
    wrong = in_lake(settings, "payments", "payment_id, amount, _wrong_types, _raw", recorded_month=OCTOBER)[1:3]
    assert wrong == [
        ("P-2026-10-001", None, "amount", '{"amount": "nan"}'),
        ("P-2026-10-002", None, "amount", '{"amount": "-inf"}'),
    ]
    rows = in_lake(settings, "bills", "due_on, kwh, amount, issued_on, _wrong_types, _raw", recorded_month=OCTOBER)
    [bad] = [row for row in rows if row[4] and "due_on" in row[4]]
    assert bad[:3] == (None, None, None)
    assert bad[4:] == ("due_on,amount,kwh", '{"due_on": "so\\"on", "amount": "12,50", "kwh": "inf"}')
    assert [row[3:5] for row in rows if row[4] == "issued_on"] == [(None, "issued_on")]
    assert lake.manifest("bills", recorded_month=OCTOBER)["wrong_types"] == dict.fromkeys(
        ("amount", "due_on", "issued_on", "kwh"), 1
    )


# -- the month's close -------------------------------------------------------------------------------------------


def test_a_month_that_is_not_closed_is_refused(settings, policy):
    fill(settings, records() | {"billing_closes": [close(AUGUST), close(SEPTEMBER)]})
    assert is_month_closed(SEPTEMBER, settings, policy)
    assert not is_month_closed(OCTOBER, settings, policy)
    for step in (extract, require_closed):
        with pytest.raises(MonthNotClosedError, match=r"2026-10 is not closed.*latest closed month is 2026-09"):
            step(OCTOBER, settings, policy)


def test_a_source_without_closes_does_not_wait(settings, policy):
    tables = records()
    del tables["billing_closes"]
    fill(settings, tables)
    assert is_month_closed(OCTOBER, settings, policy)
    extract(OCTOBER, settings, policy)


def test_a_restatement_reads_up_to_the_latest_closed_month(settings, policy, lake):
    fill(settings, records())
    assert extract(AUGUST, settings, policy)["known_in"] == "2026-08"
    assert lake.facts("bills") == [AUGUST]
    assert extract(AUGUST, settings, policy, basis="as_known_now")["known_in"] == "2026-10"
    assert lake.facts("bills") == [AUGUST, SEPTEMBER, OCTOBER]
    assert lake.facts("customers") == [AUGUST, OCTOBER]


def test_an_empty_month_is_a_partition_without_rows(settings, policy, lake):
    fill(settings, records((AUGUST, SEPTEMBER)) | {"billing_closes": [close(OCTOBER)]})
    extract(OCTOBER, settings, policy)
    assert lake.manifest("bills", recorded_month=OCTOBER)["rows"] == 0
    assert lake.files("bills", recorded_month=OCTOBER)


# -- a billing system that goes away -----------------------------------------------------------------------------


class CuttingProxy:
    """Stands between us and a server, and cuts any connection that has brought more than ``limit`` bytes."""

    def __init__(self, host: str, port: int, limit: int):
        self._target, self._limit = (host, port), limit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pipe, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pipe, args=(server, client, self._limit), daemon=True).start()

    @staticmethod
    def _pipe(source, sink, left):
        try:
            while data := source.recv(4096):
                if left is not None:
                    left -= len(data)
                    if left < 0:
                        break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self):
        self._listener.close()


@pytest.fixture
def cutting(settings):
    proxy = CuttingProxy(settings.source.host, settings.source.port, limit=300_000)
    url = settings.source.set(port=proxy.port).render_as_string(hide_password=False)
    yield with_source(settings, url)
    proxy.close()


def test_a_connection_dropped_half_way_leaves_no_half_and_the_next_run_completes(settings, cutting, policy, lake):
    tables = records()
    tables["bills"] += [bill(number, SEPTEMBER, bill_id=f"many-{number:06}") for number in range(20_000)]
    fill(settings, tables)
    with pytest.raises(SourceUnavailableError, match=r"cannot be read.*run again") as dropped:
        extract(OCTOBER, cutting, policy)
    assert settings.source.password not in str(dropped.value)
    assert "\n" not in str(dropped.value)
    assert SEPTEMBER not in lake.facts("bills")
    assert list((settings.lake_path / ".staging").iterdir()) == []
    extract(OCTOBER, settings, policy)
    assert lake.facts("bills") == [AUGUST, SEPTEMBER, OCTOBER]
    assert lake.manifest("bills", recorded_month=SEPTEMBER)["rows"] == 20_000 + CUSTOMERS


def test_a_source_that_is_away_says_where_it_should_be(settings, policy):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = with_source(settings, settings.source.set(port=port).render_as_string(hide_password=False))
    with pytest.raises(SourceUnavailableError, match=rf"127.0.0.1:{port}/source_.*GRIDGRADE_SOURCE_URL") as refused:
        extract(OCTOBER, away, policy)
    assert settings.source.password not in str(refused.value)


def test_a_lake_that_cannot_be_written_is_named(settings, policy, tmp_path):
    fill(settings, records())
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match=r"file/lake/bills/recorded_month=2026-08 cannot be written"):
        extract(OCTOBER, settings.model_copy(update={"lake": tmp_path / "file" / "lake"}), policy)
