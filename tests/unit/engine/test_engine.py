"""Both engines: views over files, parameters, and streams."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engine import open_engine
from pipeline.engine.queries import compose
from pipeline.settings import Settings

COLUMNS = {"customer_id": "VARCHAR", "amount": "DECIMAL(18, 2)"}


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request, tmp_path):
    settings = Settings(home=tmp_path / "a home", threads=2)
    if request.param == "spark":
        settings = request.getfixturevalue("spark_settings").model_copy(update={"home": settings.home})
    with open_engine(settings) as engine:
        yield engine


@pytest.fixture
def file(tmp_path):
    """Write rows to a Parquet file whose name needs quoting."""

    def write(name, rows, types=None):
        schema = pa.schema(types or {"customer_id": pa.string(), "amount": pa.decimal128(18, 2), "_raw": pa.string()})
        path = tmp_path / f"it's 100%25 é+{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
        return str(path)

    return write


def facts(*amounts):
    return [{"customer_id": f"C{amount}", "amount": amount} for amount in amounts]


def fetch(engine, text, **parameters):
    return engine.fetch(compose(text), parameters).to_pylist()


def test_facts_are_the_rows_of_all_files_less_those_to_leave_out(engine, file):
    def left_out(*rows):
        numbers = [{"file_row_number": row} for row in rows]
        return file(f"left out {rows}", numbers, {"file_row_number": pa.int64()})

    pairs = [
        (file("a", facts(1, 2, 3)), None),
        (file("b", facts(4, 5, 6)), left_out(1)),
        (file("c", facts(7)), None),
        (file("d", facts(8, 9, 10)), left_out(0, 2)),
    ]
    engine.bind_facts("bills", COLUMNS, pairs)
    assert [row["amount"] for row in fetch(engine, "select * from bills order by amount")] == [1, 2, 3, 4, 6, 7, 9]
    assert list(fetch(engine, "select * from bills limit 1")[0]) == list(COLUMNS)


def test_rows_have_the_number_of_their_file_and_their_place_in_it(engine, file):
    later = COLUMNS | {"period_end": "DATE"}
    engine.bind_rows("checked", later, [(202610, file("b", facts(4, 5))), (202609, file("a", facts(1, 2, 3)))])
    rows = fetch(engine, "select * from checked order by file_number, file_row_number")
    assert [tuple(row.values()) for row in rows] == [
        (f"C{amount}", amount, None, number, place)
        for amount, number, place in [(1, 202609, 0), (2, 202609, 1), (3, 202609, 2), (4, 202610, 0), (5, 202610, 1)]
    ]
    assert list(rows[0]) == [*later, "file_number", "file_row_number"]
    engine.bind_rows("checked", later, [])
    assert fetch(engine, "select customer_id, file_number, file_row_number from checked") == []


def test_a_column_that_came_to_the_contract_later_is_null_in_older_files(engine, file):
    later = COLUMNS | {"period_end": "DATE"}
    kinds = {"customer_id": pa.string(), "amount": pa.decimal128(18, 2), "period_end": pa.date32()}
    new = file("new", [facts(3)[0] | {"period_end": date(2026, 1, 1)}], kinds)
    left_out = file("left out", [{"file_row_number": 0}], {"file_row_number": pa.int64()})
    old, older = file("old", facts(1, 2)), file("older", facts(8, 9))
    for pairs in ([(old, None), (new, None)], [(new, None), (old, None)]):
        engine.bind_facts("bills", later, [*pairs, (older, left_out)])
        rows = fetch(engine, "select * from bills order by amount")
        assert [(row["amount"], row["period_end"]) for row in rows] == [
            (1, None), (2, None), (3, date(2026, 1, 1)), (9, None)
        ]  # fmt: skip
    engine.bind_facts("bills", later, [(old, None)])
    table = engine.fetch(compose("select * from bills"))
    assert (table.column_names, table.schema.field("period_end").type) == (list(later), pa.date32())


def test_no_files_are_an_empty_view_of_the_right_types(engine):
    engine.bind_facts("bills", COLUMNS, [])
    table = engine.fetch(compose("select * from bills"))
    assert (len(table), table.schema.field("amount").type) == (0, pa.decimal128(18, 2))


def test_facts_of_some_customers_only(engine, file):
    pairs = [(file("a", facts(1, 2, 3, 4)), None)]
    engine.bind_table("chosen", pa.table({"customer_id": ["C1", "C3", "C9"]}))
    engine.bind_facts("bills", COLUMNS, pairs, only="chosen")
    assert [row["customer_id"] for row in fetch(engine, "select * from bills order by 1")] == ["C1", "C3"]
    engine.bind_facts("bills", COLUMNS, pairs, within=("C2", "C4"))
    assert [row["customer_id"] for row in fetch(engine, "select * from bills order by 1")] == ["C2", "C3"]
    engine.bind_facts("bills", COLUMNS, pairs, within=("it's", None))
    assert fetch(engine, "select * from bills") == []


def test_a_name_can_be_bound_again(engine, file):
    for amounts in ((1, 2), (3,)):
        engine.bind_facts("bills", COLUMNS, [(file(str(amounts), facts(*amounts)), None)])
        assert len(fetch(engine, "select * from bills")) == len(amounts)
        engine.bind_table("few", pa.table({"n": list(amounts)}))
        assert [row["n"] for row in fetch(engine, "select n from few order by n")] == list(amounts)
    engine.bind_files("few", [file("few", [{"n": 7}], {"n": pa.int64()})])
    assert fetch(engine, "select n from few") == [{"n": 7}]


def test_what_is_kept_is_worked_out_once_until_it_is_released(engine):
    engine.bind_table("numbers", pa.table({"n": [1, 2, 3]}))
    for least in (2, 3):
        engine.keep("large", compose("select n from numbers where n >= :least"), {"least": least, "unasked": 1})
        assert len(fetch(engine, "select * from large")) == 4 - least
    engine.bind_table("numbers", pa.table({"n": [4]}))
    assert fetch(engine, "select * from large") == [{"n": 3}]
    engine.release("large")
    with pytest.raises(engine.fault, match="large"):
        fetch(engine, "select * from large")


def test_parameters_are_bound_and_never_read_as_sql(engine):
    engine.bind_table("people", pa.table({"name": ["a", "' or true --"]}))
    query = "select name from people where name = :name"
    assert fetch(engine, query, name="' or true --", unasked="ignored") == [{"name": "' or true --"}]
    with pytest.raises(engine.fault, match="name"):
        fetch(engine, query)


def test_a_stream_gives_every_row_in_order_and_can_be_left(engine):
    engine.bind_table("numbers", pa.table({"n": range(250_000)}))
    query = compose("select n from numbers order by n desc")
    batches = engine.batches(query)
    first = batches.read_next_batch()
    assert first["n"][0].as_py() == 249_999
    assert len(first) <= 100_000
    batches.close()
    assert sum(batch.num_rows for batch in engine.batches(query)) == 250_000


def test_streams_are_read_side_by_side(engine, file):
    engine.bind_table("chosen", pa.table({"customer_id": [f"C{number}" for number in range(0, 200_000, 2)]}))
    engine.bind_facts("bills", COLUMNS, [(file("many", facts(*range(200_000))), None)], only="chosen")
    query = compose("select customer_id from bills order by amount")
    streams = [engine.batches(query) for _ in range(2)]
    firsts = [stream.read_next_batch() for stream in streams]
    assert len(fetch(engine, "select * from chosen")) == 100_000
    rest = [pa.Table.from_batches([first, *stream]) for first, stream in zip(firsts, streams, strict=True)]
    assert rest[0].equals(rest[1])
    assert rest[0]["customer_id"][-1].as_py() == "C199998"


def test_what_is_written_is_one_parquet_file(engine, tmp_path):
    engine.bind_table("numbers", pa.table({"n": range(1000)}))
    path = tmp_path / "it's here.parquet"
    assert engine.write(compose("select n from numbers where n < :limit order by n"), {"limit": 10}, path) == 10
    assert pq.read_table(path)["n"].to_pylist() == list(range(10))
    assert engine.write(compose("select n from numbers where n < :limit"), {"limit": 0}, path) == 0
    assert len(pq.read_table(path)) == 0
