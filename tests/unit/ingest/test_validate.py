"""Every row of the lake is held to the contract; what fails is named, left out and counted."""

import shutil
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from pipeline.errors import DataQualityError, WarehouseUnavailableError
from pipeline.ingest import validation_pages
from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.sample import Utility
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.source.write import replace_tables
from tests.support.html import Page
from tests.support.records.billing import (
    AUGUST,
    CUSTOMERS,
    OCTOBER,
    SEPTEMBER,
    bill,
    close,
    customer,
    fill,
    in_source,
    instant,
    payment,
    records,
)
from tests.support.records.lake import reseal


def lenient(policy, **changed):
    """The policy, without a limit to failures and without grace."""
    changed = {"quarantine_limit": 1.0, "reference_grace_months": 0} | changed
    return policy.model_copy(update={"validation": policy.validation.model_copy(update=changed)})


def quarantined(settings, table):
    """What failed, by the key of the row."""
    lake, found = Lake(settings.lake_path), {}
    key = contract()[table].key[0]
    for month in lake.facts(table):
        for file in lake.files(QUARANTINE + table, **{fact_key(table): month}):
            rows = duckdb.connect().execute(f"select {key}, failed from read_parquet($file)", {"file": file}).fetchall()
            for name, failed in rows:
                found.setdefault(name, []).append(sorted(failed))
    return found


def kept_and_left_out(settings, table):
    """Rows in the lake, rows that readers see, rows in quarantine."""
    lake, database = Lake(settings.lake_path), duckdb.connect()
    counts = [0, 0, 0]
    for facts, left_out in lake.fact_files(table, lake.facts(table)):
        [(rows,)] = database.execute("select count(*) from read_parquet($file)", {"file": facts}).fetchall()
        numbers = set()
        if left_out:
            listed = database.execute("select file_row_number from read_parquet($file)", {"file": left_out}).fetchall()
            numbers = {number for (number,) in listed}
            assert len(numbers) == len(listed)
        [(seen,)] = database.execute(
            "select count(*) from read_parquet($file, file_row_number = true) "
            "where not list_contains($out, file_row_number)",
            {"file": facts, "out": sorted(numbers)},
        ).fetchall()
        counts = [total + part for total, part in zip(counts, (rows, seen, len(numbers)), strict=True)]
    return counts


def test_partitions_of_before_a_column_came_to_the_contract_are_checked_without_it(settings, policy):
    lake = Lake(settings.lake_path)
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    for month in (AUGUST, SEPTEMBER):
        [file] = lake.files("bills", recorded_month=month)
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["period_start", "period_end"]), file)
        reseal(lake, lake.path("bills", recorded_month=month))
    assert validate(OCTOBER, settings, policy)["quarantined"]["bills"] == 0


def test_clean_records_pass_and_are_not_checked_twice(settings, policy, sql):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    result = validate(OCTOBER, settings, policy)
    assert result["partitions_checked"] == 7
    assert result["rows"] == {"customers": CUSTOMERS, "bills": 3 * CUSTOMERS, "payments": 3 * CUSTOMERS}
    assert set(result["quarantined"].values()) == {0}
    before = sql("select count(*), bool_and(success), max(checked_at) from ops.validation_results")
    assert before[0][1]
    assert validate(OCTOBER, settings, policy)["partitions_checked"] == 0
    assert sql("select count(*), bool_and(success), max(checked_at) from ops.validation_results") == before


def test_the_customers_of_the_next_month_are_no_duplicates_of_this_one(settings, policy):
    fill(settings, records())
    for month in (SEPTEMBER, OCTOBER):
        extract(month, settings, policy)
        result = validate(month, settings, policy)
    assert result["rows"]["customers"] == CUSTOMERS
    assert result["quarantined"]["customers"] == 0


def test_every_fault_is_named_left_out_and_stored(settings, policy, sql):
    tables = records()
    day = OCTOBER.first_day
    tables["bills"] += [
        bill(1, OCTOBER, amount=Decimal("101.26")),  # a second row of the same id
        bill(2, OCTOBER, bill_id="B-2026-08-002"),  # an id of an earlier month
        bill(3, OCTOBER, bill_id="credit note", amount=Decimal("-0.01")),
        bill(3, OCTOBER, bill_id="cancellation", amount=Decimal("-5"), cancels_bill_id="B-2026-09-003"),
        bill(3, OCTOBER, bill_id="cancels nothing", cancels_bill_id="B-2027-01-001"),
        bill(3, OCTOBER, bill_id="absurd", amount=Decimal("100000000.01"), kwh=Decimal("1000000000.001")),
        bill(3, OCTOBER, bill_id="due early", due_on=day),
        bill(3, OCTOBER, bill_id="future", issued_on=day + timedelta(days=400), due_on=day + timedelta(days=500)),
        bill(3, OCTOBER, bill_id="mid-month", billing_month=day + timedelta(days=14)),
        bill(3, OCTOBER, bill_id="nobody", customer_id="C999"),
        bill(3, OCTOBER, bill_id="no customer", customer_id=None),
    ]
    tables["payments"] += [
        payment(1, OCTOBER, payment_id="zero", amount=Decimal("0")),
        payment(1, OCTOBER, payment_id="NaN"),
        payment(1, OCTOBER, payment_id="unknown bill", bill_id="B-2026-10-999"),
        payment(1, AUGUST, payment_id="bill of the future", bill_id="B-2026-10-001"),
        payment(1, OCTOBER, payment_id="to no bill", bill_id=None),
        payment(1, OCTOBER, payment_id="reversal", reverses_payment_id="P-2026-09-001"),
        payment(1, OCTOBER, payment_id="reverses nothing", reverses_payment_id="P-2026-09-999"),
    ]
    tables["customers"] += [customer(50, segment="martian"), customer(51, closed_on=date(2019, 1, 1)), customer(4)]
    tables["violations"] = [
        {
            "violation_id": f"V{kind}",
            "customer_id": "C001",
            "violation_type": kind,
            "detected_on": day,
            "recorded_at": instant(day),
        }
        for kind in ("theft", "rudeness")
    ]
    fill(settings, tables)
    in_source(
        settings,
        "alter table payments alter column amount type numeric",
        "update payments set amount = 'NaN' where payment_id = 'NaN'",
    )
    extract(OCTOBER, settings, policy)
    result = validate(OCTOBER, settings, lenient(policy))

    assert quarantined(settings, "bills") == {
        "B-2026-10-001": [["bill_id occurs once"]],
        "B-2026-08-002": [["bill_id occurs once"]],
        "cancels nothing": [["cancelled bill exists"]],
        "absurd": [["amount is not absurd", "kwh is not absurd"]],
        "due early": [["due after issued"]],
        "future": [["issued before recorded"]],
        "mid-month": [["billing month is first day"]],
        "nobody": [["customer exists"]],
        "no customer": [["customer_id is given"]],
    }
    assert quarantined(settings, "payments") == {
        "zero": [["amount is positive"]],
        "NaN": [["values have the contract's types"]],
        "reverses nothing": [["reversed payment exists"]],
    }
    assert quarantined(settings, "customers") == {
        "C050": [["segment is known"]],
        "C051": [["closed after connected"]],
        "C004": [["customer_id, recorded_at occurs once"]],
    }
    assert quarantined(settings, "violations") == {"Vrudeness": [["type is known"]]}

    for table, left_out in result["quarantined"].items():
        rows, seen, out = kept_and_left_out(settings, table)
        assert (rows, out) == (result["rows"][table], left_out)
        assert seen + out == rows
    assert sql("select count(*) from ops.quarantine where table_name = 'bills'") == [(9,)]
    [(key, failed, path)] = sql(
        "select row_key, failed, lake_path from ops.quarantine where row_key = 'absurd' order by row_number"
    )
    assert (key, sorted(failed)) == ("absurd", ["amount is not absurd", "kwh is not absurd"])
    assert duckdb.connect().execute("select count(*) from read_parquet($f)", {"f": path}).fetchall() == [(9,)]
    assert sql(
        "select rows_checked, rows_failed, success, detail -> 'examples' from ops.validation_results "
        "where table_name = 'bills' and recorded_month = '2026-10-01' and expectation = 'amount is not absurd'"
    ) == [(CUSTOMERS + 11, 1, False, ["100000000.01"])]

    assert sql(
        "select detail -> 'examples' from ops.validation_results where table_name = 'bills' "
        "and recorded_month = '2026-10-01' and expectation = 'due after issued'"
    ) == [(["2026-10-01, 2026-10-03"],)]

    page = (settings.data_docs_path / "2026-10_as_known_then" / "bills.html").read_text()
    assert {"amount is not absurd", "B-2026-08-002", "cancels nothing", f"{3 * CUSTOMERS + 11}"} <= set(
        Page(page).texts
    )


def test_a_due_date_that_is_absurd_is_no_due_date(settings, policy):
    day = OCTOBER.first_day + timedelta(days=2)
    dues = {
        "the last day": day + timedelta(days=366),
        "a day more": day + timedelta(days=367),
        "in two centuries": date(2226, 10, 20),
        "at the end of time": date(9999, 12, 30),
        "without an end": date(9999, 12, 31),
        "before it was issued": day - timedelta(days=1),
        "a century ago": date(1926, 10, 20),
    }
    tables = records()
    tables["bills"] += [bill(1, OCTOBER, bill_id=name, due_on=due) for name, due in dues.items()]
    long_ago = {"issued_on": date(1956, 10, 2), "due_on": date(1956, 10, 20)}
    tables["bills"] += [
        bill(2, OCTOBER, bill_id="issued and due long ago", **long_ago),
        bill(2, OCTOBER, bill_id="an old bill, recorded now", billing_month=date(1956, 10, 1), **long_ago),
        bill(2, OCTOBER, bill_id="a year ahead", billing_month=date(2027, 9, 1)),
    ]
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    validate(OCTOBER, settings, lenient(policy))
    late, early = "due at most 366 days after issued", "due at most 366 days before its month"
    assert quarantined(settings, "bills") == {
        "a day more": [[late]],
        "in two centuries": [[late]],
        "at the end of time": [[late]],
        "without an end": [["values have the contract's types"]],
        "before it was issued": [["due after issued"]],
        "a century ago": [["due after issued", early]],
        "issued and due long ago": [[early]],
    }
    more = validate(OCTOBER, settings, lenient(policy, max_days_to_due=400))["quarantined"]["bills"]
    assert more == 6


def test_an_index_without_pages_that_were_removed(settings, policy):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    validate(OCTOBER, settings, policy)
    folder = settings.data_docs_path
    assert {month for month, _ in validation_pages.runs(folder)} == {OCTOBER}
    assert "2026-10" in Page((folder / "index.html").read_text()).texts
    for _, page in list(validation_pages.runs(folder)):
        shutil.rmtree(page)
    validation_pages.rebuild_index(folder)
    assert "2026-10" not in Page((folder / "index.html").read_text()).texts


@pytest.mark.parametrize("seed", [3])
def test_planted_faults_are_wholly_found_and_nothing_else(settings, policy, seed):
    utility = Utility(150, 6, OCTOBER, seed=seed, dirty=0.03)
    replace_tables(settings.source, utility.batches())
    extract(OCTOBER, settings, policy)
    result = validate(OCTOBER, settings, lenient(policy))
    assert len(utility.planted) > 20
    planted: dict[str, int] = {}
    for (table, _), keys in utility.planted.items():
        planted[table] = planted.get(table, 0) + len(keys)
    assert {table: rows for table, rows in result["quarantined"].items() if rows} == planted
    for table in result["rows"]:
        rows, seen, out = kept_and_left_out(settings, table)
        assert rows == result["rows"][table] == seen + out
    for (table, kind), keys in utility.planted.items():
        if kind != "duplicate_key":
            assert {key[0] for key in keys} <= set(quarantined(settings, table))


def test_too_many_failures_stop_the_run_after_everything_was_written(settings, policy, sql):
    tables = records()
    tables["payments"] += [payment(1, OCTOBER, payment_id=f"bad {n}", amount=Decimal("-1")) for n in range(3)]
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    expected = (
        r"payments 2026-08 to 2026-10: 3 of 33 rows \(9.1%\) failed, limit 0.02: most often not 'amount is positive' "
        r"\(3\); see ops.quarantine and .*index.html; .*validation.quarantine_limits.payments"
    )
    for _ in range(2):
        with pytest.raises(DataQualityError, match=expected):
            validate(OCTOBER, settings, policy)
        assert sql("select count(*) from ops.quarantine") == [(3,)]
    more = policy.validation.model_copy(update={"quarantine_limits": {"payments": 0.1}})
    assert validate(OCTOBER, settings, policy.model_copy(update={"validation": more}))["partitions_checked"] == 0


def test_a_month_with_many_rows_is_judged_on_its_own(settings, policy):
    tables = records()
    tables["payments"] += [payment(1, AUGUST, payment_id=f"good {number}") for number in range(3000)]
    tables["payments"] += [payment(1, OCTOBER, payment_id=f"good too {number}") for number in range(1000)]
    tables["payments"] += [payment(1, OCTOBER, payment_id=f"bad {n}", amount=Decimal("-1")) for n in range(30)]
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    with pytest.raises(DataQualityError, match=r"payments 2026-10: 30 of 1,040 rows \(2.9%\)"):
        validate(OCTOBER, settings, policy)


def test_an_empty_month_is_refused_unless_the_policy_allows_it(settings, policy):
    fill(settings, records((AUGUST, SEPTEMBER)) | {"billing_closes": [close(OCTOBER)]})
    extract(OCTOBER, settings, policy)
    with pytest.raises(DataQualityError, match=r"bills 2026-10: .*no bill in the month"):
        validate(OCTOBER, settings, policy)
    validate(OCTOBER, settings, lenient(policy, allow_month_without_bills=True))


def test_a_required_table_without_rows_is_refused(settings, policy):
    fill(settings, records() | {"payments": []})
    extract(OCTOBER, settings, policy)
    with pytest.raises(DataQualityError, match="payments: the billing system recorded no row up to 2026-10"):
        validate(OCTOBER, settings, policy)


def test_a_partition_that_does_not_tie_to_the_source_is_refused(settings, policy, sql):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    lake = Lake(settings.lake_path)
    reseal(lake, lake.path("bills", recorded_month=SEPTEMBER), source_sums={"amount": "1047.51"})
    expected = r"bills 2026-09: not amount adds up to the source's total: 1047.50 in the lake, 1047.51 in the billing"
    with pytest.raises(DataQualityError, match=expected):
        validate(OCTOBER, settings, policy)
    assert sql("select expectation from ops.validation_results where not success") == [
        ("amount adds up to the source's total",)
    ]


def test_a_payment_for_an_unknown_bill_is_counted_and_kept_past_the_lakes_first_months(settings, policy, sql):
    tables = records()
    for month in (AUGUST, OCTOBER):
        tables["payments"].append(payment(1, month, payment_id=f"old bill {month}", bill_id="B-2026-07-001"))
    fill(settings, tables)
    extract(OCTOBER, settings, policy)
    validate(OCTOBER, settings, lenient(policy, reference_grace_months=2))
    assert quarantined(settings, "payments") == {}
    query = """
        select recorded_month, rows_failed from ops.validation_results
        where table_name = 'payments' and expectation = 'bill exists' and not success
    """
    assert sql(query) == [(OCTOBER.first_day, 1)]


def test_other_expectations_are_checked_anew(settings, policy):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    assert set(validate(OCTOBER, settings, policy)["quarantined"].values()) == {0}
    strict = lenient(policy, max_amount=105.0)
    assert validate(OCTOBER, settings, strict)["quarantined"] == {"customers": 0, "bills": 15, "payments": 15}
    assert set(validate(OCTOBER, settings, policy)["quarantined"].values()) == {0}


def test_older_history_that_arrives_later_decides_which_row_came_first(settings, policy):
    tables = records()
    tables["bills"].append(bill(1, OCTOBER, bill_id="B-2026-08-001"))
    fill(settings, tables)
    short = policy.model_copy(update={"extract": policy.extract.model_copy(update={"history_months": 1})})
    extract(OCTOBER, settings, short)
    assert validate(OCTOBER, settings, policy)["quarantined"]["bills"] == 0
    extract(OCTOBER, settings, policy)
    validate(OCTOBER, settings, lenient(policy))
    assert quarantined(settings, "bills") == {"B-2026-08-001": [["bill_id occurs once"]]}
    rows = Lake(settings.lake_path).manifest("quarantine/bills", recorded_month=OCTOBER)["rows"]
    assert rows == 1


def test_a_warehouse_that_is_down_is_one_clear_line_and_the_next_run_completes(settings, policy, sql):
    fill(settings, records())
    extract(OCTOBER, settings, policy)
    url = settings.warehouse.set(port=1).render_as_string(hide_password=False)
    down = Settings(home=settings.home, source_url=settings.source_url, warehouse_url=SecretStr(url))
    with pytest.raises(WarehouseUnavailableError):
        validate(OCTOBER, down, policy)
    assert validate(OCTOBER, settings, policy)["partitions_checked"] == 7
    assert sql("select count(distinct (table_name, recorded_month)) from ops.validation_results") == [(7,)]
