"""Tables in random dialects: the same rows arrive, or one line names the first wrong one; never fewer rows."""

import io
from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceContractError
from pipeline.source import csv_text, table
from pipeline.source.dialect import LoadOptions
from pipeline.source.load import load_folder

PAYMENTS = table("payments")
SHARED_FOLDER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.sampled_from("0017AB é电费户'\"\n\r,;|\t.\\"), min_size=1, max_size=6).filter(str.strip)
ID = st.one_of(st.from_regex(r"0{0,3}[1-9][0-9]{0,3}", fullmatch=True), TEXT)
ROW = st.fixed_dictionaries(
    {
        "payment_id": ID,
        "customer_id": ID,
        "bill_id": st.just("") | ID,
        "paid_on": st.dates(date(1900, 1, 1)).map(str),
        "amount": st.decimals(-9999, 9999, places=2).map(str),
        "channel": st.just("") | TEXT,
        "recorded_at": st.just("2026-03-02 12:00:00+00"),
    }
)


@st.composite
def exports(draw):
    """Rows, and the text of a file that holds them in some dialect, with the encoding of the file."""
    rows = draw(st.lists(ROW, min_size=1, max_size=5))
    names = draw(st.permutations(list(rows[0])))
    delimiter = draw(st.sampled_from(",;|\t"))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    case = draw(st.sampled_from([str.upper, str.lower]))
    is_quoted = draw(st.booleans())

    def line(values):
        return delimiter.join(written(value, is_quoted or set(value) & {delimiter, *'\r\n"'}) for value in values)

    text = end.join([line(map(case, names)), *(line(row[name] for name in names) for row in rows)])
    return rows, text + draw(st.sampled_from(["", end])), draw(st.sampled_from(["utf-8", "utf-16", "gb18030"]))


def written(value, is_quoted):
    return '"' + value.replace('"', '""') + '"' if is_quoted else value


def read_csv(path, encoding="utf-8"):
    """The rows of a file as dicts of text, and their lines."""
    opened = csv_text.open_csv(path, PAYMENTS, LoadOptions(encoding=encoding), path.name)
    rows, lines = [], []
    for arrived in opened.tables:
        *columns, numbers = (arrived[name].to_pylist() for name in arrived.column_names)
        rows += [dict(zip(opened.names, row, strict=True)) for row in zip(*columns, strict=True)]
        lines += numbers
    return rows, lines


@SHARED_FOLDER
@given(export=exports())
def test_every_value_is_read_as_it_was_written(tmp_path, export):
    rows, text, encoding = export
    (tmp_path / "payments.csv").write_bytes(text.encode(encoding))
    assert read_csv(tmp_path / "payments.csv", encoding)[0] == rows


@SHARED_FOLDER
@given(text=st.text(st.sampled_from('ab",\n\r'), max_size=80), block=st.integers(1, 30))
def test_both_readers_agree_on_any_text(tmp_path, text, block):
    """The rows and lines of Arrow's reader, or a refusal, are those of Python's strict one."""
    path = tmp_path / "payments.csv"
    path.write_bytes(f"payment_id,amount\n{text}".encode())

    def outcome():
        try:
            return read_csv(path)
        except SourceContractError as error:
            return str(error)

    with pytest.MonkeyPatch.context() as patch:
        by_both = outcome()
        patch.setattr(csv_text._Rows, "_by_arrow", lambda *_: None)
        assert outcome() == by_both
        patch.undo()
        patch.setattr(csv_text, "_BLOCK", 18 + block)
        assert outcome() == by_both


@pytest.mark.parametrize("block", [20, 40, 200, 1 << 22])
def test_no_block_is_lost_where_python_reads_on_from_arrow(tmp_path, monkeypatch, block):
    monkeypatch.setattr(csv_text, "_BLOCK", block)
    written = [{"payment_id": f"P{number}", "amount": '1"2' if number >= 30 else "12"} for number in range(90)]
    lines = ["payment_id,amount", *(",".join(row.values()) for row in written), ""]
    (tmp_path / "payments.csv").write_text("\n".join(lines))
    assert read_csv(tmp_path / "payments.csv") == (written, list(range(2, 92)))


@pytest.mark.parametrize("start", ["", '"', "P1,1\r"])
def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, start):
    monkeypatch.setattr(csv_text, "_BLOCK", 1_000)
    monkeypatch.setattr(csv_text, "_LONGEST_ROW", 10_000)
    held = []
    decoded = csv_text._decoded

    def watched(*arguments):
        for text in decoded(*arguments):
            held.append(text)
            yield text

    monkeypatch.setattr(csv_text, "_decoded", watched)
    (tmp_path / "payments.csv").write_bytes(f"payment_id,amount\n{start}".encode() + b"x," * 50_000)
    line = 3 if start.endswith("\r") else 2
    with pytest.raises(SourceContractError, match=f"payments.csv, line {line}: it is longer than 10,000 characters"):
        read_csv(tmp_path / "payments.csv")
    assert sum(map(len, held)) < 15_000


@settings(SHARED_FOLDER, max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(export=exports(), spoilt=st.none() | st.sampled_from(["amount", "paid_on", "customer_id"]), at=st.integers(0, 4))
def test_the_same_rows_are_in_the_database_or_the_first_wrong_line_is_named(folder, sqlite, read, export, spoilt, at):
    rows, text, encoding = export
    (folder / "payments.parquet").unlink(missing_ok=True)
    (folder / "payments.csv").write_bytes(text.encode(encoding))
    stated = LoadOptions(encoding=encoding)
    assert load_folder(folder, sqlite, stated=stated)["rows"]["payments"] == len(rows)
    found = read(sqlite, "select payment_id, customer_id, bill_id, paid_on, channel from payments")
    names = ("payment_id", "customer_id", "bill_id", "paid_on", "channel")
    assert sorted(found, key=str) == sorted((tuple(row[name] or None for name in names) for row in rows), key=str)

    if spoilt and at < len(rows):
        wrong = [row | {spoilt: "\0"} if number == at else row for number, row in enumerate(rows)]
        records = [
            ",".join(rows[0]),
            *(",".join(written(value, True) for value in map(row.get, rows[0])) for row in wrong),
        ]
        line = len(list(io.StringIO("\n".join([*records[: at + 1], ""]), newline=""))) + 1
        (folder / "payments.csv").write_bytes("\n".join(records).encode())
        with pytest.raises(SourceContractError, match=rf"payments\.csv, line {line}, column {spoilt}: '.x00'"):
            load_folder(folder, sqlite)
        assert len(read(sqlite, "select * from payments")) == len(rows)
