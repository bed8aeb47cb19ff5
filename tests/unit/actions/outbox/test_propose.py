"""Deciding: an action is made once, by what it is for, and judged anew until somebody acts on it."""

import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.outbox import propose
from pipeline.warehouse.connection import bulk_transaction

TYPES = {"inspection": {"channels": ["queue"]}, "visit": {"channels": ["queue"], "approval": "automatic"}}


@pytest.fixture
def queued(house):
    return house.under(TYPES)


def test_deciding_twice_makes_an_action_once(queued):
    assert queued.decide("inspection", "a", "b") == queued.decide("inspection", "b", "a")[::-1]
    assert queued.statuses() == {"proposed": 2}
    assert [queued.history(action) for action in queued.decide("inspection", "a")] == [[("proposed", "decision", None)]]


@trials(max_examples=10, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=3),
)
def test_ids_made_in_bulk_are_those_made_one_by_one(module_cursor, action_type, reference):
    with module_cursor() as cursor:
        literal = ", ".join("'" + part.replace("'", "''") + "'" for part in reference)
        propose._decide(
            cursor,
            action_type,
            f"select cast(array[{literal}] as text[]) as reference, '' as customer_id, '' as reason, "
            "cast('{}' as jsonb) as payload",
            (),
        )
        cursor.execute("select cast(action_id as text) from decided")
        assert cursor.fetchone()[0] == propose.action_id(action_type, *reference)


@pytest.fixture(scope="module")
def module_cursor(module_house):
    def opened():
        return connection.cursor()

    with bulk_transaction(module_house.settings) as connection:
        yield opened


def test_the_ids_are_these():
    """They are in the tables of whoever runs this: other ids would do everything a second time."""
    assert propose.action_id("arrears_rebate", "monthly-2026-03", "C1") == "ac10562a-e4a1-553c-bc36-e595f907bd09"


def test_what_is_blocked_waits_for_the_protection_to_end(queued):
    [action] = queued.decide("visit", "a", blocked_by=("text", "dispute"))
    queued.dispatch()
    assert queued.row(action, "status", "blocked_by") == ("blocked", "dispute")
    queued.decide("visit", "a")
    assert queued.row(action, "status", "blocked_by") == ("proposed", None)
    queued.decide("visit", "a", blocked_by=("text", "medical"))
    assert queued.row(action, "status", "blocked_by") == ("blocked", "medical")
    queued.decide("visit", "a")
    queued.dispatch()
    assert queued.row(action, "status") == ("dispatched",)
    assert [status for status, *_ in queued.history(action)] == [
        "blocked", "proposed", "blocked", "proposed", "approved", "dispatched",
    ]  # fmt: skip


def test_what_somebody_acted_on_stands(queued):
    statuses = ("approved", "dispatched", "acknowledged", "failed")
    queued.decide("inspection", *statuses)
    queued.sql("update ops.service_actions set status = customer_id")
    before = queued.sql("select * from ops.service_actions order by 1")
    queued.publish()
    queued.decide("inspection", *statuses, payload={"grade": "B"}, blocked_by=("text", "dispute"))
    with bulk_transaction(queued.settings) as warehouse, warehouse.cursor() as cursor:
        assert propose.withdraw(cursor, "select action_id from ops.service_actions", [], "no longer due") == 0
    assert queued.sql("select * from ops.service_actions order by 1") == before


def test_what_is_withdrawn_comes_back_when_it_is_due_again(queued):
    [action] = queued.decide("inspection", "a")
    with bulk_transaction(queued.settings) as warehouse, warehouse.cursor() as cursor:
        assert propose.withdraw(cursor, "select cast($1 as uuid)", [action], "no longer due") == 1
        assert propose.withdraw(cursor, "select cast($1 as uuid)", [action], "no longer due") == 0
    assert queued.row(action, "status", "suppressed_by", "reason") == ("suppressed", "withdrawal", "no longer due")
    queued.decide("inspection", "a")
    assert queued.row(action, "status", "suppressed_by", "reason") == ("proposed", None, "because")
