"""Deciding: an action is made once, by what it is for, and judged anew until somebody acts on it."""

import psycopg
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


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@trials(max_examples=10, deadline=None)
@given(TEXT, st.lists(TEXT, max_size=3))
def test_ids_made_in_bulk_are_those_made_one_by_one(module_house, action_type, reference):
    module_house.empty()
    publication = module_house.publish()
    literal = ", ".join("'" + part.replace("'", "''") + "'" for part in reference)
    with bulk_transaction(module_house.settings) as connection, connection.cursor() as cursor:
        query = (
            f"select cast(array[{literal}] as text[]) as reference, 'c' as customer_id, '' as reason, "
            "cast('{}' as jsonb) as payload"
        )
        assert propose.propose(cursor, publication, action_type, query) == 1
        cursor.execute("select cast(action_id as text) from ops.service_actions")
        assert cursor.fetchall() == [(propose.action_id(action_type, *reference),)]


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
        assert propose.withdraw(cursor, "true", [], "no longer due") == 0
    assert queued.sql("select * from ops.service_actions order by 1") == before


def test_a_change_of_many_is_recorded_in_one_pass(queued):
    """The session has recorded the change of a single action before: planned for one, the recording of a thousand would
    compare each of them with each."""
    queued.decide("inspection", *map(str, range(1000)))
    url = queued.settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    plans: list[str] = []
    with psycopg.connect(url) as connection:
        connection.execute("set debug_print_plan = on")
        connection.execute("set client_min_messages = log")
        connection.execute("update ops.service_actions set status = 'approved' where customer_id = '1'")
        connection.add_notice_handler(lambda message: plans.append(message.message_detail or ""))
        connection.execute("update ops.service_actions set status = 'approved' where status = 'proposed'")
    of_changed_rows = [plan for plan in plans if "NAMEDTUPLESTORESCAN" in plan]
    assert of_changed_rows
    assert not [plan for plan in of_changed_rows if "NESTLOOP" in plan]


def test_what_is_withdrawn_comes_back_when_it_is_due_again(queued):
    [action] = queued.decide("inspection", "a")
    with bulk_transaction(queued.settings) as warehouse, warehouse.cursor() as cursor:
        assert propose.withdraw(cursor, "s.action_id = cast($1 as uuid)", [action], "no longer due") == 1
        assert propose.withdraw(cursor, "s.action_id = cast($1 as uuid)", [action], "no longer due") == 0
    assert queued.row(action, "status", "suppressed_by", "reason") == ("suppressed", "withdrawal", "no longer due")
    queued.decide("inspection", "a")
    assert queued.row(action, "status", "suppressed_by", "reason") == ("proposed", None, "because")
