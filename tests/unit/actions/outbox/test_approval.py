"""What people decide: all of what they named or nothing, on record by their name."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from pipeline.actions.outbox import propose
from pipeline.actions.outbox.approval import Chosen, acknowledge, approve, deny, found, listed, release
from pipeline.errors import ActionError
from tests.support.outbox import MONTH

TYPES = {
    "inspection": {"channels": ["queue"], "due_hours": 48, "priority": 2},
    "retention": {"channels": ["queue"], "approval": "automatic"},
    "visit": {"channels": ["webhook"], "approval": "automatic"},
}


@pytest.fixture
def queued(house):
    return house.under(TYPES)


def ids(*actions):
    return Chosen(tuple(map(UUID, actions)))


def test_the_life_of_an_action(queued):
    [action] = queued.decide("inspection", "a")
    inputs = queued.settings, queued.policy
    assert queued.dispatch()["to_approve"] == 1
    assert approve(*inputs, ids(action), "Li Na") == 1
    assert queued.row(action, "status", "approved_by", "priority") == ("approved", "Li Na", 2)
    [due_at] = queued.row(action, "due_at")
    assert timedelta(hours=47) < due_at - datetime.now(UTC) < timedelta(hours=49)
    queued.dispatch()
    assert acknowledge(queued.settings, ids(action), "crew 7") == 1
    assert queued.row(action, "status", "acknowledged_by") == ("acknowledged", "crew 7")
    assert queued.history(action) == [
        ("proposed", "decision", None),
        ("approved", "Li Na", None),
        ("dispatched", "dispatcher", "queue"),
        ("acknowledged", "crew 7", None),
    ]
    whole = found(queued.settings, UUID(action))
    assert [event["status"] for event in whole["events"]] == ["proposed", "approved", "dispatched", "acknowledged"]


def test_what_was_denied_stays_so_until_somebody_releases_it(queued):
    [action] = queued.decide("inspection", "a")
    assert deny(queued.settings, ids(action), "Li Na", "moved away") == 1
    assert queued.row(action, "status", "suppressed_by") == ("suppressed", "denial")
    queued.publish()
    queued.decide("inspection", "a", payload={"grade": "D", "violations": 9})
    queued.dispatch()
    assert queued.row(action, "status") == ("suppressed",)
    assert release(queued.settings, queued.policy, ids(action), "Wang") == 1
    assert queued.row(action, "status", "suppressed_by") == ("proposed", None)
    assert queued.history(action)[1:] == [
        ("suppressed", "Li Na", "denied: moved away"),
        ("proposed", "Wang", "released"),
    ]


def test_a_released_action_is_what_the_policy_makes_of_its_type(queued):
    queued.publish("backfill")
    [automatic] = queued.decide("retention", "a")
    [required] = queued.decide("inspection", "a")
    assert queued.dispatch()["dispatched"]["queue"] == 0
    assert release(queued.settings, queued.policy, ids(automatic, required), "Wang") == 2
    assert queued.row(automatic, "status", "approved_by") == ("approved", "Wang")
    assert queued.row(required, "status", "approved_by") == ("proposed", None)
    assert queued.dispatch()["dispatched"]["queue"] == 1


def test_what_failed_gets_another_start(house, receiver):
    house = house.under(TYPES).at(webhook_url=receiver.url, webhook_secret="0123456789abcdef")
    receiver.script.append(400)
    [action] = house.decide("visit", "a")
    house.dispatch()
    assert house.row(action, "status") == ("failed",)
    release(house.settings, house.policy, ids(action), "Wang")
    assert house.row(action, "status", "attempts", "last_error") == ("approved", 0, None)
    house.dispatch()
    assert house.row(action, "status") == ("dispatched",)


def test_what_follows_a_released_action_is_released_with_it(queued):
    queued.publish("backfill")
    [first] = queued.decide("retention", "a")
    [second] = queued.decide("inspection", "b", follows=("uuid", first))
    with pytest.raises(ActionError, match=f"it follows action {first}, which is suppressed: release that one"):
        release(queued.settings, queued.policy, ids(second), "Wang")
    assert release(queued.settings, queued.policy, ids(first), "Wang") == 2
    assert queued.row(second, "status") == ("proposed",)


def test_all_of_a_month_and_type_at_once(queued):
    queued.decide("inspection", *"abc")
    [other] = queued.decide("retention", "a", run_kind="manual")
    chosen = Chosen(month=MONTH, action_type="inspection")
    assert approve(queued.settings, queued.policy, chosen, "Li Na") == 3
    assert approve(queued.settings, queued.policy, chosen, "Li Na") == 0
    assert approve(queued.settings, queued.policy, Chosen(month=MONTH + 1), "Li Na") == 0
    assert queued.row(other, "status") == ("proposed",)
    assert deny(queued.settings, Chosen(month=MONTH), "Li Na", "all wrong") == 4
    assert approve(queued.settings, queued.policy, Chosen(), "Li Na") == 0


REFUSED = {
    "proposed": (acknowledge, "it is proposed, and only what was dispatched can be done"),
    "proposed already": (release, "it is proposed"),
    "suppressed": (approve, "it is suppressed, gridgrade actions release comes first"),
    "dispatched": (deny, "it is dispatched"),
    "withdrawn": (release, "it was withdrawn, as it is no longer due"),
    "blocked": (approve, "it is blocked by dispute"),
    "blocked in a backfill": (release, "it is blocked by dispute"),
    "expired": (release, "it has expired"),
    "in flight": (deny, "it is being sent right now"),
}
MADE_SO = {
    "suppressed": "status = 'suppressed', suppressed_by = 'publication'",
    "dispatched": "status = 'dispatched'",
    "withdrawn": "status = 'suppressed', suppressed_by = 'withdrawal'",
    "blocked": "status = 'blocked', blocked_by = 'dispute'",
    "blocked in a backfill": "status = 'suppressed', suppressed_by = 'publication', blocked_by = 'dispute'",
    "expired": "status = 'suppressed', suppressed_by = 'expiry', expires_at = '2020-01-01'",
    "in flight": "status = 'approved', leased_until = now() + interval '1 minute'",
}


def test_a_refusal_names_the_reason_and_changes_nothing(queued):
    queued.decide("inspection", *REFUSED)
    [unknown_type] = queued.decide("emergency_supply", "no type")
    for customer, change in MADE_SO.items():
        queued.sql(f"update ops.service_actions set {change} where customer_id = %s", customer)
    fit = {
        acknowledge: propose.action_id("inspection", "dispatched"),
        approve: propose.action_id("inspection", "proposed"),
        deny: propose.action_id("inspection", "proposed"),
        release: propose.action_id("inspection", "suppressed"),
    }
    cases = [(propose.action_id("inspection", name), *refusal) for name, refusal in REFUSED.items()]
    cases.append((unknown_type, approve, "the policy's actions.types has no emergency_supply"))
    before = queued.sql("select * from ops.service_actions order by 1")
    for action, command, reason in cases:
        more = {approve: (queued.policy,), release: (queued.policy,)}.get(command, ())
        why = ("no",) if command is deny else ()
        with pytest.raises(ActionError, match=f"action {action} cannot be .*: {reason}; nothing was changed"):
            command(queued.settings, *more, ids(fit[command], action), "Li Na", *why)
    nobody = str(uuid4())
    with pytest.raises(ActionError, match=f"there is no action {nobody}: gridgrade actions list shows them"):
        deny(queued.settings, ids(fit[deny], nobody), "Li Na", "no")
    assert queued.sql("select * from ops.service_actions order by 1") == before


def test_what_is_listed(queued):
    queued.decide("inspection", "a", "b")
    queued.decide("retention", "a")
    assert len(list(listed(queued.settings))) == 3
    assert len(list(listed(queued.settings, action_type="inspection", month=MONTH, status="proposed"))) == 2
    assert not list(listed(queued.settings, month=MONTH + 1))


def test_what_is_written_past_the_commands_is_on_record_too(queued):
    [action] = queued.decide("inspection", "a")
    queued.sql("update ops.service_actions set status = 'acknowledged'")
    assert queued.history(action)[-1] == ("acknowledged", queued.settings.warehouse.username, None)
