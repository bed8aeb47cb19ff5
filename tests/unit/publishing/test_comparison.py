"""The difference between two ratings of a month, on a few customers."""

import pyarrow as pa
import pytest

from pipeline.engine import open_engine
from pipeline.publishing.comparison import COLUMNS, difference
from pipeline.settings import Settings

SCHEMA = pa.schema([(name, pa.float64() if name == "score" else pa.string()) for name in COLUMNS])


def customer(name, grade, score=600.0, **more):
    return {"customer_id": name, "segment": "public", "grade": grade, "score": score, "rating_basis": "model"} | more


@pytest.fixture
def compared(tmp_path, policy):
    def run(before, after, **options):
        with open_engine(Settings(home=tmp_path, threads=1)) as engine:
            engine.bind_table("before", pa.Table.from_pylist(before, SCHEMA))
            engine.bind_table("after", pa.Table.from_pylist(after, SCHEMA))
            return difference(engine, policy, **options)

    return run


def test_customers_are_counted_by_what_becomes_of_them(compared):
    before = [customer("same", "A"), customer("up", "C"), customer("down", "A"), customer("gone", "B")]
    after = [
        customer("same", "A"),
        customer("up", "AA"),
        customer("down", "D", grade_rule="theft", rating_basis="veto"),
        customer("new", "B"),
    ]
    found = compared(before, after)
    assert found["totals"] == {
        "customers": 3,
        "moved": 2,
        "up": 1,
        "down": 1,
        "rescored": 0,
        "new": 1,
        "gone": 1,
        "moved_share": 2 / 3,
    }
    assert {(row["before"], row["after"]): row["customers"] for row in found["migration"]} == {
        ("A", "A"): 1,
        ("C", "AA"): 1,
        ("A", "D"): 1,
        ("B", None): 1,
        (None, "B"): 1,
    }
    assert found["reasons"] == [{"because": "model", "customers": 1}, {"because": "theft", "customers": 1}]


def test_the_furthest_moves_come_first_and_those_that_only_score_otherwise_last(compared):
    before = [customer(name, "B") for name in ("points", "more_points", "notch", "notches", "nothing")]
    after = [
        customer("points", "B", 601.0),
        customer("more_points", "B", 598.0),
        customer("notch", "A", reason_1="P1", reason_3="C2"),
        customer("notches", "D"),
        customer("nothing", "B"),
    ]
    moves = compared(before, after)["moves"]
    assert [move["customer_id"] for move in moves] == ["notches", "notch", "more_points", "points"]
    assert [move["notches"] for move in moves] == [-2, 1, 0, 0]
    assert moves[1]["reasons_after"] == "P1 C2"
    assert [move["customer_id"] for move in compared(before, after, largest=1)["moves"]] == ["notches"]


def test_nothing_to_compare_with_is_no_move(compared):
    found = compared([], [customer("new", "A")])
    assert found["totals"]["moved_share"] == 0
    assert found["totals"]["new"] == 1
    assert compared([], [])["moves"] == []
