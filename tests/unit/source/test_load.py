"""``gridgrade source load``: files in, or one clear line and the source as it was."""

import math
import re

import pytest

from pipeline.errors import SourceContractError
from pipeline.source import contract
from pipeline.source.load import load_folder


def test_required_tables_arrive_in_contract_types_and_optional_ones_stay_absent(folder, database, read, tables):
    result = load_folder(folder, database)

    assert (result["rows"], result["ignored"]) == ({"customers": 1, "bills": 1, "payments": 1}, [])
    assert tables(database) == {"customers", "bills", "payments"}
    assert read(database, "select customer_id, feeder_id, closed_on from customers") == [("007", None, None)]
    assert [float(amount) for (amount,) in read(database, "select amount from bills")] == [12.34]
    on_the_day = "select count(*) from bills where recorded_at >= '2026-03-02' and recorded_at < '2026-03-03'"
    assert read(database, on_the_day) == [(1,)]


def test_loading_again_replaces_everything(folder, write, rows, database, read, tables):
    (folder / "billing_closes.csv").write_text("billing_month,closed_at\n2026-03-01,2026-04-01 05:00:00+00\n")
    load_folder(folder, database)
    assert "billing_closes" in tables(database)

    (folder / "billing_closes.csv").unlink()
    write("bills", *({**rows["bills"], "bill_id": f"B{number}"} for number in range(3)))
    load_folder(folder, database)

    assert tables(database) == {"customers", "bills", "payments"}
    assert read(database, "select count(*) from bills") == [(3,)]


def test_a_value_that_cannot_be_read_leaves_the_source_as_it_was(folder, write, rows, database, read):
    load_folder(folder, database)
    write("customers", rows["customers"], rows["customers"])
    write("payments", {**rows["payments"], "amount": math.nan})

    with pytest.raises(SourceContractError, match=r"payments\.parquet, row 1, column amount: 'nan' cannot be read"):
        load_folder(folder, database)
    assert read(database, "select count(*) from customers") == [(1,)]


def test_csv_is_read_as_the_contract_says_and_not_as_it_looks(folder, sqlite, read):
    (folder / "arrears.csv").write_text(
        "customer_id,as_of,amount_overdue,days_past_due,late_fee,is_disputed,is_on_payment_plan,recorded_at\n"
        "007,2026-03-31,5.5,11,0,false,N,2026-03-31T23:00:00Z\n"
    )
    load_folder(folder, sqlite)
    assert read(sqlite, "select customer_id, days_past_due, is_on_payment_plan from arrears") == [("007", 11, 0)]


def test_what_the_contract_does_not_know_is_named(folder, write, rows, sqlite):
    write("weather", {"day": 1})
    (folder / "README.md").write_text("about")
    write("payments", {**rows["payments"], "mood": "good"})

    assert load_folder(folder, sqlite)["ignored"] == ["README.md", "payments.parquet: mood", "weather.parquet"]


def test_an_empty_file_makes_an_empty_table(folder, sqlite, read):
    (folder / "violations.csv").write_text(",".join(contract()["violations"].column_names) + "\n")
    load_folder(folder, sqlite)
    assert read(sqlite, "select count(*) from violations") == [(0,)]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("amount", math.inf, "'inf' cannot be read as DECIMAL(18, 2)"),
        ("amount", 1e17, "cannot be read as DECIMAL(18, 2)"),
        ("amount", "12,50", "'12,50' cannot be read as DECIMAL(18, 2)"),
        ("paid_on", "2026-02-30", "'2026-02-30' cannot be read as DATE"),
        ("recorded_at", "yesterday", "'yesterday' cannot be read as TIMESTAMPTZ"),
    ],
)
def test_the_first_value_of_a_wrong_type_is_named(folder, write, rows, sqlite, column, value, shown):
    write("payments", {**rows["payments"], column: value})
    where = re.escape(f"payments.parquet, row 1, column {column}: ")
    with pytest.raises(SourceContractError, match=where + ".*" + re.escape(shown)):
        load_folder(folder, sqlite)


def test_a_missing_required_table_is_refused(folder, sqlite):
    (folder / "payments.parquet").unlink()
    with pytest.raises(SourceContractError, match=r"holds no payments\.parquet, payments\.csv.*sql/contract/payments"):
        load_folder(folder, sqlite)


def test_a_missing_required_column_is_refused(folder, write, rows, sqlite):
    write("bills", {name: value for name, value in rows["bills"].items() if name != "due_on"})
    with pytest.raises(SourceContractError, match=r"bills\.parquet has no column due_on"):
        load_folder(folder, sqlite)


def test_a_missing_required_column_of_an_optional_table_is_refused(folder, sqlite):
    (folder / "violations.csv").write_text("violation_id,customer_id\nV1,007\n")
    with pytest.raises(SourceContractError, match=r"violations\.csv has no column violation_type, detected_on"):
        load_folder(folder, sqlite)


def test_two_files_of_one_table_are_refused(folder, sqlite):
    (folder / "bills.csv").write_text("bill_id\n")
    with pytest.raises(SourceContractError, match=r"both bills\.csv and bills\.parquet of bills: keep one"):
        load_folder(folder, sqlite)


def test_a_file_that_is_no_parquet_is_refused(folder, sqlite):
    (folder / "bills.parquet").write_text("not parquet")
    with pytest.raises(SourceContractError, match=r"bills\.parquet cannot be read as parquet"):
        load_folder(folder, sqlite)


def test_a_folder_that_is_not_there_is_refused(tmp_path, sqlite):
    with pytest.raises(SourceContractError, match="nowhere is not a folder"):
        load_folder(tmp_path / "nowhere", sqlite)
