"""Billing systems whose types and texts are not quite the contract's: carried right, counted, or refused by name."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import URL, create_engine, text

from pipeline.errors import SourceContractError
from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.lake import Lake
from pipeline.maintenance.doctor import examine
from pipeline.settings import Settings
from pipeline.source import table
from pipeline.source.read import BillingSystem
from tests.support.records.billing import (
    CUSTOMERS,
    OCTOBER,
    SEPTEMBER,
    fill,
    in_lake,
    in_source,
    instant,
    payment,
    records,
)


@pytest.fixture
def findings(settings):
    return lambda: {finding.what: finding for finding in examine(lambda: settings)}


def test_money_bits_local_times_blanks_and_open_ends_arrive_whole(settings, policy, findings, tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    (tmp_path / "sql" / "extract").mkdir(parents=True)
    (tmp_path / "sql" / "extract" / "payments.sql").write_text(
        'select payment_id, customer_id, bill_id, paid_on, amount as "Amount", "Recorded_At" from kept '
        "-- of :month\n/* or of\n:year; */ "
        'where "Recorded_At" >= :recorded_from and "Recorded_At" < :recorded_before; -- done'
    )
    tables = records()
    tables["payments"].append(payment(1, OCTOBER, payment_id="no bill", bill_id=" "))
    fill(settings, tables)
    in_source(
        settings,
        "alter table payments alter column amount type money using amount::text::money",
        "alter table bills alter column is_estimated type bit using is_estimated::int::bit",
        "alter table bills alter column bill_id type char(20)",
        "update customers set closed_on = '9999-12-31' where customer_id = 'C001'",
        "update customers set closed_on = 'infinity' where customer_id = 'C002'",
        "alter table payments alter column recorded_at type timestamp using recorded_at at time zone 'UTC'",
        'alter table payments rename column recorded_at to "Recorded_At"',
        "alter table payments rename to kept",
        f"alter database \"{settings.source.database}\" set timezone = 'America/New_York'",
        "insert into customers (customer_id, segment, region, connected_on, recorded_at) "
        "values ('c001', 'residential', 'north', '2020-01-01', '2020-01-02')",
    )
    found = findings()
    assert "amount" not in found["source payments"].detail
    assert "recorded_at without a zone, taken as UTC" in found["source payments"].detail
    assert "ids that differ only in case, such as c001" in found["source customers"].detail
    extract(OCTOBER, settings, policy)
    manifest = Lake(settings.lake_path).manifest("payments", recorded_month=OCTOBER)
    assert manifest["sums"] == manifest["source_sums"] == {"amount": "1148.75"}
    assert manifest["trimmed"] == {"bill_id": 1}
    kept = in_lake(settings, "payments", "bill_id, amount, left(recorded_at::varchar, 13)", recorded_month=OCTOBER)
    assert kept[-1] == (None, Decimal("101.25"), "2026-10-10 12")
    assert in_lake(settings, "bills", "min(length(bill_id)), max(length(bill_id)), bool_or(is_estimated)") == [
        (13, 13, False)
    ]
    assert in_lake(settings, "customers", "count(closed_on), count(_wrong_types)") == [(0, 0)]


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_ids_in_another_case_are_named_by_doctor_in_every_table_that_has_them(settings, tmp_path, kind):
    url = URL.create("sqlite", database=str(tmp_path / "cis.db")).render_as_string()
    held = Settings(**settings.model_dump() | {"source_url": url}) if kind == "sqlite" else settings
    fill(held, records())
    details = lambda: {finding.what: finding.detail for finding in examine(lambda: held)}  # noqa: E731
    assert not [detail for what, detail in details().items() if what.startswith("source") and "case" in detail]
    in_source(
        held,
        "update bills set bill_id = 'b-2026-10-001' where bill_id = 'B-2026-10-002'",
        "update payments set bill_id = 'B-2026-10-001' where bill_id = 'B-2026-10-002'",
        "update payments set customer_id = 'c003' where customer_id = 'C003'",
        "update payments set reverses_payment_id = 'p-2026-09-001' where payment_id = 'P-2026-10-001'",
    )
    found = details()
    assert found["source customers"] == "as the contract says"
    assert found["source bills"] == "ids that differ only in case, such as b-2026-10-001"
    assert found["source payments"] == (
        "customer_id is in customers only in another case, such as c003; "
        "reverses_payment_id is in payments only in another case, such as p-2026-09-001"
    )


def test_what_cannot_be_carried_is_refused_with_the_way_out_and_doctor_says_so_before(settings, policy, findings):
    fill(settings, records())
    in_source(
        settings,
        "alter table payments alter column amount type double precision",
        "update payments set amount = 10.125 where payment_id = 'P-2026-10-001'",
        "alter table bills alter column amount type text",
        "alter table customers alter column recorded_at drop not null",
        "update customers set recorded_at = null where customer_id = 'C001'",
        "update customers set recorded_at = '1899-01-01' where customer_id = 'C002'",
        "update customers set recorded_at = 'infinity' where customer_id = 'C003'",
    )
    found = findings()
    assert "payments.amount: 1 of 30 rows have more than two decimals" in found["source payments"].detail
    assert "the total of amount cannot be computed" in found["source bills"].detail
    undated = f"customers: 3 of {CUSTOMERS} rows have a recorded_at that is null, infinite or before 1900"
    assert undated in found["source customers"].detail
    with pytest.raises(SourceContractError, match=undated):
        extract(OCTOBER, settings, policy)
    loose = policy.model_copy(update={"validation": policy.validation.model_copy(update={"undated_limit": 1.0})})
    with pytest.raises(SourceContractError, match="more than two decimals"):
        extract(OCTOBER, settings, loose)


SHAPES = {
    "compared": "select {c} from payments where recorded_at >= :recorded_from and recorded_at < :recorded_before",
    "between": "select {c} from payments where 1 = 1 and recorded_at between :recorded_from and :recorded_before",
    "reversed": "select {c} from payments where :recorded_from <= recorded_at and (:recorded_before > recorded_at)",
    "in functions": (
        "select {c} from payments where substr(recorded_at, 1, 10) >= substr(:recorded_from, 1, 10) "
        "and trim(recorded_at) < trim(:recorded_before)"
    ),
    "in a part": (
        "with known as (select * from payments where recorded_at >= :recorded_from) select {c} from "
        "(select * from known where recorded_at < :recorded_before) k left join (select payment_id as other "
        "from payments where recorded_at < :recorded_before) o on o.other = k.payment_id"
    ),
    "in two parts": (
        "select {c} from payments where payment_id < 'P2' and recorded_at >= :recorded_from "
        "and recorded_at < :recorded_before union all "
        "select {c} from payments where payment_id >= 'P2' and recorded_at >= :recorded_from "
        "and recorded_at < :recorded_before"
    ),
}


@pytest.fixture
def rows_without_a_month(tmp_path, monkeypatch):
    """What is counted of ten payments, of which four have no usable recorded_at, by an extract query."""
    (tmp_path / "sql" / "extract").mkdir(parents=True)
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    url = URL.create("sqlite", database=str(tmp_path / "cis.db"))
    instants = [None, "1899-12-31 23:00:00", "infinity", "9999-12-31", "1900-01-01", *["2026-09-01 00:00:00"] * 5]
    with create_engine(url).begin() as connection:
        connection.execute(text("create table payments (payment_id, customer_id, paid_on, amount, recorded_at)"))
        for number, recorded in enumerate(instants):
            row = {"id": f"P{number}", "recorded": recorded}
            connection.execute(text("insert into payments values (:id, 'C', '2026-09-01', 1, :recorded)"), row)

    def count(query: str) -> tuple[int, int, list[str]] | None:
        (tmp_path / "sql" / "extract" / "payments.sql").write_text(query)
        with BillingSystem(url) as source:
            asked = source.query(table("payments"))
            assert asked is not None
            return source.undated_rows(asked)

    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_that_no_month_holds_are_counted_however_a_query_compares_its_bounds(rows_without_a_month, shape):
    columns = "payment_id, customer_id, paid_on, amount, recorded_at"
    assert rows_without_a_month(SHAPES[shape].format(c=columns)) == (4, 10, ["P0", "P1", "P2"])


def test_a_query_that_hides_its_bounds_is_run_all_the_same(rows_without_a_month):
    text = "select * from payments where (:recorded_from <= recorded_at and recorded_at < :recorded_before) or 1 = 0"
    assert rows_without_a_month(text) is None


def test_types_that_are_not_the_contracts_arrive_as_what_they_mean(settings, policy):
    fill(settings, records())
    in_source(
        settings,
        "create type kind as enum ('residential', 'public')",
        "alter table customers alter column segment type kind using segment::kind",
        "alter table bills alter column amount type real",
        "update bills set amount = 123456.78 where bill_id = 'B-2026-10-001'",
        "alter table payments alter column amount type double precision using amount / 3 * 3",
        "alter table payments alter column paid_on type timestamptz using '2026-10-10 00:30 Asia/Shanghai'",
        "alter table payments add column entered uuid default gen_random_uuid(), drop column payment_id",
        "alter table payments rename column entered to payment_id",
    )
    extract(OCTOBER, settings, policy.model_copy(update={"timezone": "Asia/Shanghai"}))
    assert in_lake(settings, "customers", "distinct segment, _wrong_types") == [("residential", None)]
    assert in_lake(settings, "bills", "max(amount), count(_wrong_types)") == [(Decimal("123456.78"), 0)]
    assert in_lake(
        settings,
        "payments",
        "sum(amount)::varchar, max(paid_on)::varchar, max(length(payment_id)), count(_wrong_types)",
    ) == [("3142.50", "2026-10-10", 36, 0)]


def test_what_a_cast_would_make_up_is_a_wrong_type(settings, policy):
    tables = records()
    tables["arrears"] = [
        {
            "customer_id": "C001",
            "as_of": date(2026, 9, 30),
            "amount_overdue": Decimal(1),
            "days_past_due": 3,
            "late_fee": Decimal(0),
            "is_disputed": False,
            "is_on_payment_plan": False,
            "recorded_at": instant(date(2026, 10, 1)),
        }
    ]
    fill(settings, tables)
    in_source(
        settings,
        "alter table bills alter column is_estimated type int using 1",
        "update bills set is_estimated = 2 where bill_id = 'B-2026-10-001'",
        "alter table bills alter column kwh type boolean using true",
        "alter table payments alter column amount type text",
        "update payments set amount = '10.125' where payment_id = 'P-2026-10-001'",
        "alter table payments alter column paid_on type text",
        "update payments set paid_on = '0026-10-10' where payment_id = 'P-2026-10-002'",
        "alter table arrears alter column days_past_due type numeric using 3.7",
    )
    extract(OCTOBER, settings, policy)
    bills = in_lake(settings, "bills", "_wrong_types, is_estimated, _raw", recorded_month=OCTOBER)
    assert (bills[0][0], bills[-1]) == ("kwh", ("kwh,is_estimated", None, '{"kwh": "true", "is_estimated": "2"}'))
    wrong = in_lake(settings, "payments", "distinct _wrong_types, _raw", recorded_month=OCTOBER)
    assert wrong == [("amount", '{"amount": "10.125"}'), ("paid_on", '{"paid_on": "0026-10-10"}'), (None, None)]
    assert in_lake(settings, "arrears", "_wrong_types") == [("days_past_due",)]


def test_a_row_recorded_on_a_day_belongs_to_the_month_of_the_utilitys_calendar(settings, policy):
    fill(settings, records())
    in_source(
        settings,
        "alter table payments alter column recorded_at type date using date_trunc('month', recorded_at)",
    )
    extract(OCTOBER, settings, policy.model_copy(update={"timezone": "America/New_York"}))
    assert in_lake(settings, "payments", "distinct recorded_at::varchar", recorded_month=OCTOBER) == [
        ("2026-10-01 04:00:00+00",)
    ]


def test_a_column_named_twice_is_refused(settings, policy, tmp_path, monkeypatch):
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    (tmp_path / "sql" / "extract").mkdir(parents=True)
    (tmp_path / "sql" / "extract" / "payments.sql").write_text(
        'select payments.*, 0 as "AMOUNT" from payments '
        "where recorded_at >= :recorded_from and recorded_at < :recorded_before"
    )
    fill(settings, records())
    with pytest.raises(SourceContractError, match=r"payments\.sql returns amount twice; leave one of them out"):
        extract(OCTOBER, settings, policy)


@pytest.mark.parametrize("what", ["password", "role"])
def test_any_character_will_do_in_a_password_and_a_role(settings, postgres, policy, what):
    odd = "a b%25c@:/?#[]&=+'\"电"
    name, password = (odd, "plain") if what == "role" else ("reader", odd)
    quoted = '"' + name.replace('"', '""') + '"'
    fill(settings, records())
    admin = create_engine(postgres.superuser, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        secret = password.replace("'", "''").replace(":", "\\:")
        connection.execute(
            text(f"create role {quoted.replace(':', chr(92) + ':')} superuser login password '{secret}'")
        )
    url = settings.source.set(username=name, password=password).render_as_string(hide_password=False)
    try:
        found = extract(OCTOBER, Settings(**settings.model_dump() | {"source_url": url}), policy)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"drop role {quoted.replace(':', chr(92) + ':')}"))
    assert found["written"]["payments"]["rows"] == 3 * CUSTOMERS


@pytest.mark.parametrize("first", ["2026-09-01", "2026-09-01 00:00", "2026-09-01 00:00:00", "2026-09-01T00:00:00Z"])
def test_in_sqlite_the_first_instant_of_a_month_belongs_to_it(settings, policy, tmp_path, first):
    url = URL.create("sqlite", database=str(tmp_path / "cis.db"))
    held = Settings(**settings.model_dump() | {"source_url": url.render_as_string()})
    fill(held, records())
    in_source(held, f"update payments set recorded_at = '{first}' where payment_id = 'P-2026-09-001'")
    extract(OCTOBER, held, policy)
    months = in_lake(settings, "payments", "recorded_at::varchar", recorded_month=SEPTEMBER)
    assert (len(months), months[0]) == (CUSTOMERS, ("2026-09-01 00:00:00+00",))


def test_a_balance_sheet_has_a_limit_of_its_own(settings, policy):
    tables = records()
    figures = dict.fromkeys(("total_liabilities", "current_assets", "current_liabilities", "net_profit"), Decimal(1))
    statement = {
        "customer_id": "C001",
        "period_end": date(2025, 12, 31),
        "published_on": date(2026, 9, 1),
        "average_net_assets": Decimal(1),
        "recorded_at": instant(date(2026, 9, 1)),
        **figures,
    }
    sums = {"large": "2500000000", "absurd": "1000000000000.01"}
    tables["financial_statements"] = [
        statement | {"statement_id": name, "total_assets": Decimal(assets)} for name, assets in sums.items()
    ]
    tables["payments"].append(payment(1, OCTOBER, payment_id="large", amount=Decimal("2500000000")))
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    loose = {"quarantine_limit": 1.0}
    quarantined = validate(
        OCTOBER,
        settings,
        policy.model_copy(update={"validation": policy.validation.model_copy(update=loose)}),
    )["quarantined"]
    assert (quarantined["financial_statements"], quarantined["payments"]) == (1, 1)
