"""Who looks after whom: within the managers' room, for as long as may be, whatever the order of the rows."""

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.engine import open_engine, queries
from pipeline.settings import Settings

GROUPS = pa.table({"action_type": ["account_manager"], "value_group": ["high"]})
NAMES = st.sampled_from([f"c{n:02}" for n in range(12)])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=1)) as engine:
        engine.bind_table("measure_value_groups", GROUPS)
        yield engine


def assigned(engine, people: dict[str, tuple[str, int]], before: dict[str, str], room: dict[str, int]) -> dict:
    """manager and since by customer; ``people`` are (value group, revenue)."""
    rated = [(name, group, float(revenue)) for name, (group, revenue) in people.items()]
    held = [(name, manager, "2026-01") for name, manager in before.items()]
    slots = [(manager, slot + 1) for manager, size in room.items() for slot in range(size)]
    for name, rows, schema in (
        ("rated", rated, {"customer_id": pa.string(), "value_group": pa.string(), "revenue": pa.float64()}),
        ("managed_before", held, {"customer_id": pa.string(), "manager": pa.string(), "since": pa.string()}),
        ("manager_slots", slots, {"manager": pa.string(), "slot": pa.int64()}),
    ):
        random.shuffle(rows)
        table = pa.Table.from_pylist([dict(zip(schema, row, strict=True)) for row in rows], pa.schema(schema))
        engine.bind_table(name, table)
    found = engine.fetch(queries.compose("select * from manager_assignments"), {"month": "2026-10"}).to_pylist()
    assert len({row["customer_id"] for row in found}) == len(found)
    return {row["customer_id"]: (row["manager"], row["since"]) for row in found}


@trials(max_examples=60, deadline=None)
@given(
    people=st.dictionaries(NAMES, st.tuples(st.sampled_from(["high", "low"]), st.integers(0, 5)), max_size=12),
    before=st.dictionaries(NAMES, st.sampled_from(["a", "b", "gone"]), max_size=12),
    room=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 4), min_size=1),
)
def test_managers(engine, people, before, room):
    found = assigned(engine, people, before, room)
    eligible = {name: revenue for name, (group, revenue) in people.items() if group == "high"}
    load = {manager: sum(held == manager for held, _ in found.values()) for manager in room}

    assert found.keys() <= eligible.keys()
    assert {manager for manager, _ in found.values()} <= room.keys()
    assert all(load[manager] <= size for manager, size in room.items()), "more customers than there is room for"
    assert len(found) == min(len(eligible), sum(room.values())), "somebody waits while there is room"
    for manager, size in room.items():
        had = sorted((-eligible[name], name) for name, held in before.items() if held == manager and name in eligible)
        for _, name in had[:size]:
            assert found[name] == (manager, "2026-01"), "who has a manager keeps him, the most revenue first"
    kept = {name for name, (_, since) in found.items() if since == "2026-01"}
    fresh = sorted((-eligible[name], name) for name in eligible if name not in kept)
    assert {name for _, name in fresh[: len(found) - len(kept)]} == found.keys() - kept
    assert found == assigned(engine, people, before, room), "it hangs on the order of the rows"


def test_the_next_month_changes_nothing_where_nothing_has_changed(engine):
    people = {f"c{n:02}": ("high", n) for n in range(10)}
    first = assigned(engine, people, {}, {"a": 3, "b": 2})
    assert sorted(first) == ["c05", "c06", "c07", "c08", "c09"]
    following = assigned(
        engine, people | {"rich": ("high", 99)}, {n: m for n, (m, _) in first.items()}, {"a": 3, "b": 2}
    )
    assert {name: manager for name, (manager, _) in following.items()} == {
        name: manager for name, (manager, _) in first.items()
    }
