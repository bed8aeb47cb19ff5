"""Files as people export them: loaded to the row, or refused with file, line, column, value and the way out."""

import gzip
import re
from datetime import date, datetime

import openpyxl
import pytest

from pipeline.errors import ConfigError, SourceContractError
from pipeline.source.dialect import LoadOptions, stated_options
from pipeline.source.load import load_folder
from tests.support.published_data import shared_data

HEADER = "payment_id,customer_id,bill_id,paid_on,amount,recorded_at"
PAID = "P1,007,B1,2026-03-02,12.34,2026-03-02 12:00:00+00"
NOON = datetime.fromisoformat("2026-03-02 12:00:00")  # a workbook knows no zones
ALL = "select payment_id, bill_id, paid_on, amount, recorded_at from payments order by payment_id"
LOADED = {
    "concatenated-exports": False,
    "dot-thousands": False,
    "two-digit-year": False,
    "total-row": False,
    "sqlplus-footer": False,
    "empty-file": False,
    "gb18030": False,
    "several-files": True,
    "upper-case-header": True,
}


@pytest.fixture
def payments(folder):
    """``payments(line, ...)`` writes payments.csv in the place of payments.parquet; ``data`` as it is."""
    (folder / "payments.parquet").unlink()

    def write(*lines: str, data: bytes | None = None, name="payments.csv", end="\n"):
        (folder / name).write_bytes("".join(line + end for line in lines).encode() if data is None else data)

    return write


@pytest.fixture
def refusal(folder, sqlite):
    def run(**options) -> str:
        with pytest.raises(SourceContractError) as raised:
            load_folder(folder, sqlite, stated=LoadOptions(**options))
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return run


@pytest.fixture
def loaded(folder, sqlite, read):
    """The payments that arrive, and what was ignored."""

    def run(query=ALL, **options):
        result = load_folder(folder, sqlite, stated=LoadOptions(**options))
        assert result["rows"]["payments"] == read(sqlite, "select count(*) from payments")[0][0]
        return read(sqlite, query), result["ignored"]

    return run


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEADER, PAID, HEADER + ",channel", PAID + ",card"], "payments.csv, line 3: 7 values where the header has 6"),
        ([HEADER, PAID, HEADER, PAID], "payments.csv, line 3 is a header again"),
        ([HEADER, PAID, "2 rows selected."], "payments.csv, line 3: 1 values where the header has 6 columns"),
        ([HEADER, PAID, "TOTAL,,,,12.34,"], "payments.csv, line 3, column customer_id: '' is empty"),
        ([HEADER, PAID + ",,"], "line 2: 8 values"),
        ([HEADER, PAID.replace("12.34", "1.234")], "line 2, column amount: '1.234' may be a number in thousands"),
        ([HEADER, PAID.replace("12.34", "1.000")], "line 2, column amount: '1.000' may be a number in thousands"),
        ([HEADER, PAID.replace("12.34", "12.3456")], "column amount: '12.3456' has more decimals than DECIMAL(18, 2)"),
        ([HEADER, PAID.replace("12.34", "1E+3")], "column amount: '1E+3' cannot be read"),
        ([HEADER, PAID.replace("12.34", "Infinity")], "column amount: 'Infinity' cannot be read"),
        ([HEADER, PAID.replace("12.34", "12.34-")], "column amount: '12.34-' cannot be read"),
        ([HEADER, PAID.replace("12.34", "99999999999999999.00")], "cannot be read as DECIMAL(18, 2)"),
        ([HEADER, PAID.replace("2026-03-02,", "10/01/24,")], "column paid_on: '10/01/24' cannot be read as DATE"),
        ([HEADER, PAID.replace("2026-03-02,", "0024-01-10,")], "column paid_on: '0024-01-10' lies before 1900"),
        ([HEADER, PAID.replace("2026-03-02,", "infinity,")], "column paid_on: 'infinity' cannot be read"),
        ([HEADER, PAID.replace("2026-03-02,", "2026-03-02 14:30:00,")], "'2026-03-02 14:30:00' cannot be read as DATE"),
        ([HEADER, PAID.replace("2026-03-02 ", "0001-01-01 ")], "'0001-01-01 12:00:00+00' lies before 1900"),
        ([HEADER, PAID.replace(":00+00", ":00.1234567")], "has more decimals than TIMESTAMPTZ keeps"),
        ([HEADER, PAID.replace("2026-03-02 12:00:00+00", " ")], "column recorded_at: ' ' is empty"),
        ([HEADER, PAID.replace("B1", "B\0")], "line 2, column bill_id: 'B\\x00' holds a NUL character"),
        ([HEADER, PAID.replace("B1", "1.23457E+17")], "column bill_id: '1.23457E+17' was an id before a spreadsheet"),
        ([HEADER, PAID.replace("B1", "NULL")], "column bill_id: 'NULL' is how an export may write that"),
        ([HEADER, PAID.replace("B1", "\\N")], "column bill_id: '\\\\N' is how an export may write"),
        ([HEADER, PAID.replace("B1", "#N/A")], "column bill_id: '#N/A' is how an export may write"),
        ([HEADER, PAID.replace("B1", '"=""001"""')], "column bill_id: '=\"001\"' is a spreadsheet's formula"),
        ([HEADER, PAID.replace("P1", '"P1'), PAID.replace("P1", 'P2"')], "holds as many delimiters as a line"),
        ([HEADER, PAID.replace("P1,", '"P1,')], "line 2: unexpected end of data"),
        ([HEADER, PAID.replace("P1,", '"P1"x,')], "line 2: ',' expected after '\"'"),
        ([HEADER, PAID.replace("B1", '"B\n1\n"'), "x"], "payments.csv, line 5: 1 values"),
        ([], "payments.csv is empty: its first line has to name the columns, payment_id"),
        (["", ""], "payments.csv is empty"),
        ([PAID, PAID], "payments.csv, line 1: 'P1,007,B1,"),
        ([HEADER + ",Amount", PAID + ",1.00"], "payments.csv has the column amount twice"),
        ([HEADER.replace("paid_on", "day"), PAID], "payments.csv has no column paid_on"),
        (["payment_id;customer_id,amount", "1;2,3"], "can be split in several ways: state --delimiter"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_as_it_is_is_refused_with_its_line(payments, refusal, lines, said):
    payments(*lines)
    assert said in refusal()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_encodings_by_their_mark_or_as_stated(payments, loaded, folder, encoding):
    payments(data=f"{HEADER},channel\r\n{PAID},微信\r\n".encode(encoding))
    stated = {} if encoding in ("utf-8-sig", "utf-16") else {"encoding": encoding}
    assert loaded("select payment_id, channel from payments", **stated)[0] == [("P1", "微信")]


def test_another_encoding_is_refused_with_its_line_and_how_to_state_it(payments, refusal):
    payments(data=f"{HEADER},channel\n{PAID},card\n{PAID},微信\n".encode("gb18030"))
    assert refusal().startswith("payments.csv, line 3: the bytes d0 c5 0a are not utf-8: state the file's encoding")
    payments(data=f"{HEADER}\n{PAID}\n".encode("utf-16-le"))
    assert "state --encoding utf-16-le" in refusal()
    payments(data=f"{HEADER}\n{PAID}\n".encode("utf-16")[:-1])
    assert "are not utf-16-le" in refusal()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_header_says_the_delimiter(payments, loaded, delimiter):
    payments(*(line.replace(",", delimiter) for line in (HEADER.upper(), PAID)))
    rows, ignored = loaded()
    assert len(rows) == 1
    assert ignored == []


def test_a_delimiter_is_stated_by_an_option_or_by_the_first_line(payments, loaded):
    payments(HEADER.replace(",", "^"), PAID.replace(",", "^"))
    assert len(loaded(delimiter="^")[0]) == 1
    payments("sep=^", HEADER.replace(",", "^"), PAID.replace(",", "^"))
    assert len(loaded()[0]) == 1


def test_money_and_dates_are_read_as_stated_and_only_so(payments, loaded, refusal):
    swiss = [
        HEADER.replace(",", ";"),
        PAID.replace(",", ";").replace("12.34", "1.234,50").replace("2026-03-02;", "02.03.26;"),
    ]
    payments(*swiss)
    assert "'02.03.26' cannot be read as DATE" in refusal(decimal=",")
    [(_, _, paid_on, amount, _)], _ = loaded(decimal=",", date_format="%d.%m.%y")
    assert (str(paid_on), float(amount)) == ("2026-03-02", 1234.5)
    assert "'02.03.26' lies before 1900" in refusal(decimal=",", date_format="%d.%m.%Y")
    payments(HEADER, PAID.replace("12.34", '"1,234.500"'))
    assert "cannot be read" in refusal()
    assert float(loaded(decimal=".")[0][0][3]) == 1234.5


def test_instants_without_an_offset_are_of_the_stated_zone(folder, payments, settings, read):
    plain = PAID.replace("+00", "")
    payments(HEADER, plain, plain.replace("P1", "P2").replace(" 12:", "T12:") + "+08:00", PAID.replace("P1", "P3"))
    utc = "select extract(hour from recorded_at at time zone 'UTC')::int from payments order by payment_id"
    load_folder(folder, settings, time_zone="Asia/Shanghai")
    assert read(settings, utc) == [(4,), (4,), (12,)]
    (folder / "load.yaml").write_text("tables: {payments: {time_zone: America/New_York}}")
    load_folder(folder, settings, time_zone="Asia/Shanghai")
    assert read(settings, utc) == [(17,), (4,), (12,)]


def test_several_files_make_a_table(payments, folder, loaded):
    payments(HEADER, PAID)
    payments(HEADER.upper(), PAID.replace("P1", "P2"), name="payments-2025.csv")
    (folder / "Payments").mkdir()
    for number, suffix in enumerate([".csv", ".CSV.GZ"], 3):
        data = f"{HEADER}\n{PAID.replace('P1', f'P{number}')}\n".encode()
        (folder / "Payments" / f"part{number}{suffix}").write_bytes(gzip.compress(data) if "GZ" in suffix else data)
    (folder / "Payments" / "_SUCCESS").touch()
    rows, ignored = loaded("select payment_id from payments order by payment_id")
    assert rows == [("P1",), ("P2",), ("P3",), ("P4",)]
    assert ignored == ["Payments/_SUCCESS"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("payments_2025.csv", "may hold payments or not: name it payments-<anything>.csv"),
        ("payments (1).csv", "may hold payments or not"),
        ("payments2025.parquet", "may hold payments or not"),
        ("payments.csv.bak", "may hold payments or not"),
        ("payments-2025.xls", "cannot be read: save it as one of .csv, .csv.gz, .parquet, .xlsx"),
        ("payments.csv.gz", "holds both payments.csv and payments.csv.gz of payments: keep one"),
        ("payments/part/x.csv", "is a folder within payments"),
    ],
)
def test_a_file_that_looks_like_a_table_is_never_passed_over(payments, folder, refusal, name, said):
    payments(HEADER, PAID)
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).touch()
    assert said in refusal()


def test_a_compressed_file_that_ends_early_is_refused(payments, refusal):
    payments(data=gzip.compress(f"{HEADER}\n{PAID}\n".encode())[:-12], name="payments.csv.gz")
    assert "payments.csv.gz cannot be read" in refusal()


def test_a_workbook(payments, folder, loaded, refusal):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([])
    sheet.append([*HEADER.upper().split(","), None])
    sheet.append(["P1", 7, "B1", date(2026, 3, 2), 0.1 + 0.2, "2026-03-02 12:00:00+00"])
    sheet.append(["P2", "007", None, NOON.replace(hour=0), 12, NOON])
    book.save(folder / "payments.xlsx")
    rows, ignored = loaded("select customer_id, bill_id, paid_on, round(amount, 4) from payments order by payment_id")
    assert rows == [("7", "B1", "2026-03-02", 0.3), ("007", None, "2026-03-02", 12)]
    assert ignored == []

    sheet["E4"] = 1.234
    sheet["A5"] = "TOTAL"
    book.save(folder / "payments.xlsx")
    assert refusal().startswith("payments.xlsx, row 4, column amount: '1.234'")
    sheet["E4"] = 1
    book.save(folder / "payments.xlsx")
    assert refusal().startswith("payments.xlsx, row 5, column customer_id: '' is empty")
    book.create_sheet("notes").append(["written by hand"])
    book.save(folder / "payments.xlsx")
    assert "has several sheets (Sheet, notes): name the one to load payments" in refusal()
    (folder / "payments.xlsx").write_text("not a workbook")
    assert "payments.xlsx cannot be read as a workbook" in refusal()


def test_blank_lines_hold_nothing_and_are_counted(payments, loaded):
    payments("", HEADER, "", PAID, "  ", ",,,,,", "")
    rows, ignored = loaded()
    assert len(rows) == 1
    assert ignored == ["payments.csv: 4 blank lines"]


def test_a_dry_run_names_all_that_is_wrong_and_loads_nothing(payments, folder, sqlite, tables):
    payments(HEADER + ",mood", *([PAID.replace("12.34", "12.345") + ",good"] * 3), PAID.replace("B1", "1E+9") + ",bad")
    (folder / "bills-2025.csv").write_text("bill_id\n")
    result = load_folder(folder, sqlite, dry_run=True)
    assert [(one["file"], one["column"], one["line"], one["reason"], one["count"]) for one in result["refused"]] == [
        ("bills-2025.csv", None, None, "structure", 1),
        ("payments.csv", "bill_id", 5, "exponent", 1),
        ("payments.csv", "amount", 2, "thousands", 3),
    ]
    assert result["rows"] == {"customers": 1, "bills": 1, "payments": 4}
    assert result["ignored"] == ["payments.csv: mood"]
    assert tables(sqlite) == set()


def test_options_of_the_folder_and_of_the_call(payments, folder, loaded, sqlite):
    payments(HEADER.replace(",", "^"), PAID.replace(",", "^").replace("12.34", "12,34"))
    (folder / "load.yaml").write_text("decimal: '.'\ntables:\n  payments: {delimiter: ^, decimal: ','}\n")
    rows, ignored = loaded()
    assert (len(rows), ignored) == (1, [])
    for text, said in [
        ("delimiter: ab", "load.yaml: delimiter: a delimiter is one character"),
        ("tables: {weather: {}}", "load.yaml: tables: 'weather' is no source table"),
        ("quote: x", "load.yaml: quote"),
        ("a: [", "load.yaml cannot be read as YAML"),
    ]:
        (folder / "load.yaml").write_text(text)
        with pytest.raises(ConfigError, match=re.escape(said)):
            load_folder(folder, sqlite)


@pytest.mark.parametrize(
    ("option", "value"),
    [("encoding", "klingon"), ("encoding", "base64"), ("decimal", "x"), ("delimiter", ""), ("date_format", "%d/%m"),
     ("date_format", "%Y-%d-%m"), ("date_format", "%H %d %m %Y")],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_named(option, value):
    with pytest.raises(ConfigError, match=f"--{option.replace('_', '-')}"):
        stated_options(**{option: value})


def test_the_command(payments, folder, settings, gridgrade):
    payments(HEADER, PAID)
    code, out, _ = gridgrade("source", "load", str(folder), "--dry-run", settings=settings)
    assert code == 0
    assert "payments.csv" in out
    payments(HEADER, PAID.replace("12.34", "x"))
    code, out, err = gridgrade("source", "load", str(folder), "--dry-run", settings=settings)
    assert code == 1
    assert "payments.csv, line 2, column amount: 'x' cannot be read as DECIMAL(18, 2)" in out
    assert err.splitlines()[-1].endswith("nothing would be loaded until what is named above is corrected")


@pytest.mark.parametrize(("case", "is_loaded"), LOADED.items())
def test_files_as_people_brought_them(case, is_loaded, sqlite, read):
    folder = shared_data("cases") / case
    if is_loaded:
        load_folder(folder, sqlite)
        assert read(sqlite, "select count(*) from payments") == [(2,)]
    else:
        with pytest.raises(SourceContractError, match=r"^(payments|customers)\.csv"):
            load_folder(folder, sqlite)
    if case == "gb18030":
        load_folder(folder, sqlite, stated=LoadOptions(encoding="gb18030"))
        assert read(sqlite, "select region from customers where customer_id = 'C1'") == [("华北",)]
    if case == "several-files":
        assert read(sqlite, "select count(*) from bills") == [(4,)]
