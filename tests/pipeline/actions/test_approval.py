"""What people decide: all of what they named or nothing, on record by their name."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from house import MONTH

from pipeline.actions.approval import Chosen, acknowledge, approve, deny, found, listed, release
from pipeline.errors import ActionError

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
    [automatic] = queued.decide("retention", "a", run_kind="backfill")
    [required] = queued.decide("inspection", "a", run_kind="backfill")
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
    "unknown": "there is no action",
    "proposed acknowledged": "it is proposed, and only what was dispatched can be done",
    "proposed released": "it is proposed",
    "suppressed approved": "it is suppressed, gridgrade actions release comes first",
    "dispatched denied": "it is dispatched",
    "withdrawn released": "it was withdrawn, as it is no longer due",
    "blocked approved": "it is blocked by dispute",
    "blocked in a backfill released": "it is blocked by dispute",
    "expired released": "it has expired",
    "in flight denied": "it is being sent right now",
    "no type approved": "the policy's actions.types has no emergency_supply",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_changes_nothing(queued, case):
    if "backfill" in case:
        queued.publish("backfill")
    [good] = queued.decide("inspection", "good")
    more = {"blocked_by": ("text", "dispute")} if case.startswith("blocked") else {}
    if case.startswith("expired"):
        more = {"expires_at": ("timestamptz", "2020-01-01")}
    [bad] = queued.decide("emergency_supply" if case.startswith("no type") else "inspection", "bad", **more)
    change = {
        "suppressed": "status = 'suppressed', suppressed_by = 'publication'",
        "dispatched": "status = 'dispatched'",
        "withdrawn": "status = 'suppressed', suppressed_by = 'withdrawal'",
        "expired": "status = 'suppressed', suppressed_by = 'expiry'",
        "in flight": "status = 'approved', leased_until = now() + interval '1 minute'",
    }
    for name, what in change.items():
        if case.startswith(name):
            queued.sql(f"update ops.service_actions set {what} where customer_id = 'bad'")
    before = queued.sql("select * from ops.service_actions order by 1")
    chosen = ids(good, str(uuid4()) if case == "unknown" else bad)
    commands = {
        "acknowledged": lambda: acknowledge(queued.settings, chosen, "Li Na"),
        "released": lambda: release(queued.settings, queued.policy, ids(bad), "Li Na"),
        "denied": lambda: deny(queued.settings, chosen, "Li Na", "no"),
    }
    command = commands.get(case.split()[-1], lambda: approve(queued.settings, queued.policy, chosen, "Li Na"))
    with pytest.raises(ActionError) as raised:
        command()
    assert REFUSED[case] in str(raised.value)
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
