"""Dispatching against real receivers that misbehave, by dispatchers that die: each action arrives, and counts once."""

import base64
import hashlib
import hmac
import logging
import os
import re
import signal
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest
import trustme

from pipeline.actions.outbox import delivery
from pipeline.resources import ROOT
from tests.support.environment import variables
from tests.support.outbox import MONTH, SECRET
from tests.support.receivers import document

ALL = {
    "visit": {"channels": ["webhook"], "approval": "automatic"},
    "collection": {"channels": ["webhook", "queue"], "approval": "automatic"},
    "retention": {"channels": ["queue"], "approval": "automatic"},
    "inspection": {"channels": ["webhook"], "approval": "required"},
}


@pytest.fixture
def sending(house, receiver):
    """A house whose webhook is the receiver."""
    return house.under(ALL).at(webhook_url=receiver.url, webhook_secret=SECRET)


def test_what_the_receiver_gets(sending, receiver):
    [action] = sending.decide("visit", "客户 1", due_at=("timestamptz", "2026-04-01 08:00+08"))
    outcome = sending.dispatch()
    assert outcome["dispatched"] == {"queue": 0, "webhook": 1, "email": 0}
    [(headers, content)] = receiver.received
    seen = document(content)
    assert headers["Idempotency-Key"] == headers["webhook-id"] == seen["action_id"] == action
    assert seen["action_type"] == "visit"
    assert seen["customer_id"] == "客户 1"
    assert seen["due_at"] == "2026-04-01T00:00:00+00:00"
    assert seen["letter"]["subject"] == "Visit customer 客户 1"
    signed = f"{action}.{headers['webhook-timestamp']}.".encode() + content
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert sending.row(action, "status", "attempts", "last_error", "leased_until") == ("dispatched", 1, None, None)
    assert sending.history(action) == [
        ("proposed", "decision", None),
        ("approved", "policy", None),
        ("dispatched", "dispatcher", "webhook"),
    ]


def test_the_signature_is_that_of_standard_webhooks():
    """The example of the specification."""
    from pipeline.actions.channels.configuration import webhook
    from pipeline.actions.channels.webhook import signed_headers
    from pipeline.settings import Settings

    settings = Settings(webhook_url="https://h", webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', webhook(settings).secrets
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("trouble", ["stall", "drop", 500, (429, "900"), 409])
def test_a_receiver_in_trouble_gets_it_again_and_counts_it_once(sending, receiver, trouble):
    receiver.script.append(trouble)
    [action] = sending.decide("visit", "c")
    outcome = sending.dispatch()
    assert outcome["postponed"] == 1
    assert outcome["waiting"][0]["actions"] == 1
    status, attempts, error = sending.row(action, "status", "attempts", "last_error")
    assert (status, attempts) == ("approved", 1)
    assert error.startswith("webhook: ")
    [(seconds,)] = sending.sql("select extract(epoch from next_attempt_at - now()) from ops.service_actions")
    least = 890 if isinstance(trouble, tuple) else 28
    assert least <= seconds <= least + 40
    sending.pass_time()
    sending.dispatch()
    assert sending.row(action, "status", "attempts", "last_error") == ("dispatched", 2, None)
    assert receiver.keys == [action, action]
    assert receiver.done == {action}
    [(_, first), (_, second)] = receiver.received
    assert first == second


def test_a_date_to_retry_after_is_kept(sending, receiver):
    receiver.script.append((503, format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)))
    sending.decide("visit", "a", "b")
    assert "the channel rests for" in sending.dispatch()["waiting"][0]["because"]
    assert len(receiver.received) == 1
    assert sending.dispatch()["waiting"][0]["because"].startswith("the channel rests for 7")
    assert len(receiver.received) == 1
    [(minutes,)] = sending.sql("select extract(epoch from max(next_attempt_at) - now()) / 60 from ops.service_actions")
    assert 118 <= minutes <= 120


@pytest.mark.parametrize("header", ["²", "9" * 4000, "-1", "soon", "Mon, 99 Foo 2026", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_whatever_a_receiver_asks_for_ends_no_dispatcher(sending, receiver, header):
    receiver.script.append((429, header))
    [action] = sending.decide("visit", "a")
    assert sending.dispatch()["postponed"] == 1
    sending.sql("update ops.service_actions set next_attempt_at = now()")
    assert sending.row(action, "status", "attempts") == ("approved", 1)


def test_an_answer_that_never_ends_has_a_deadline(house, receiver):
    house = house.under(ALL, timeout_seconds=60, deadline_seconds=0.5).at(
        webhook_url=receiver.url, webhook_secret=SECRET
    )
    receiver.script.append("drip")
    [action] = house.decide("visit", "a")
    assert house.dispatch()["postponed"] == 1
    assert house.row(action, "last_error") == ("webhook: no whole answer within 0.5 s",)


def test_while_a_secret_is_changed_both_sign(house, receiver):
    new = "fedcba9876543210"
    house.under(ALL).at(webhook_url=receiver.url, webhook_secret=f"{SECRET} {new}").decide("visit", "a")
    house.under(ALL).at(webhook_url=receiver.url, webhook_secret=f"{SECRET} {new}").dispatch()
    [(headers, content)] = receiver.received
    for secret in (SECRET, new):
        verified(headers, content, [secret.encode()])
    with pytest.raises(ValueError, match="signature"):
        verified(headers, content, [b"another secret of them"])
    with pytest.raises(ValueError, match="signature"):
        verified(headers, content + b" ", [SECRET.encode()])
    with pytest.raises(ValueError, match="old"):
        verified(headers | {"webhook-timestamp": "1614265330"}, content, [SECRET.encode()])


def verified(headers, content, secrets):
    """The receiver's check, as docs/actions.md shows it."""
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "actions.md").read_text(), re.S)
    names = {}
    exec(code, names)
    names["verify"](headers, content, secrets)


def test_a_host_that_the_policy_does_not_name_gets_nothing(house, receiver):
    house = house.under(ALL, hosts=["crm.example"]).at(webhook_url=receiver.url, webhook_secret=SECRET)
    house.decide("visit", "a")
    [waiting] = house.dispatch()["waiting"]
    assert waiting["because"] == "127.0.0.1 is not among the hosts of policy actions.channels.webhook"
    assert not receiver.received


def test_a_proxy_of_the_environment_is_not_used(sending, receiver, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sending.decide("visit", "a")
    assert sending.dispatch()["dispatched"]["webhook"] == 1
    assert len(receiver.received) == 1


def test_an_answer_given_twice_is_not_taken_for_that_of_the_next(sending, receiver):
    receiver.script.extend(["twice", 500, "twice", 500])
    sending.decide("visit", "a", "b", "c", "d")
    assert sending.dispatch()["dispatched"]["webhook"] == 2
    assert len(receiver.received) == 4


@pytest.mark.parametrize("refusal", [400, 307])
def test_a_refusal_is_final_and_the_next_channel_takes_over(sending, receiver, refusal):
    receiver.script.extend([refusal, refusal])
    [visit] = sending.decide("visit", "a")
    [collection] = sending.decide("collection", "b")
    outcome = sending.dispatch()
    assert outcome["failed"] == 1
    assert outcome["dispatched"]["queue"] == 1
    assert sending.row(visit, "status", "attempts") == ("failed", 1)
    assert sending.row(collection, "status", "channel") == ("dispatched", "queue")
    assert f"answered {refusal}" in sending.row(visit, "last_error")[0]
    assert len(receiver.received) == 2
    assert sending.history(visit)[-1][:2] == ("failed", "dispatcher")
    assert sending.dispatch()["dispatched"] == {"queue": 0, "webhook": 0, "email": 0}


def test_after_its_last_attempt_an_action_is_failed(sending, receiver):
    receiver.script.extend([500] * 3)
    [action] = sending.decide("visit", "a")
    sending.dispatch_until_settled()
    assert sending.row(action, "status", "attempts", "last_error") == ("failed", 3, "webhook: answered 500")
    assert len(receiver.received) == 3


def test_a_channel_that_fails_again_and_again_rests(house, receiver):
    receiver.script.extend([500] * 100)
    house = house.under(ALL, rest_after_failures=4).at(webhook_url=receiver.url, webhook_secret=SECRET)
    house.decide("visit", *map(str, range(20)))
    outcome = house.dispatch()
    assert len(receiver.received) == 4
    assert (outcome["postponed"], outcome["waiting"][0]["actions"]) == (4, 20)
    assert outcome["waiting"][0]["because"] == "the channel rests for 60 s: answered 500"
    house.dispatch()
    assert len(receiver.received) == 4
    house.pass_time()
    receiver.script.clear()
    assert house.dispatch()["dispatched"]["webhook"] == 20


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_receiver_has_to_prove_who_it_is(house, receiver, monkeypatch, tmp_path, is_trusted):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    receiver.encrypt(context)
    if is_trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    house = house.under(ALL).at(webhook_url=receiver.url, webhook_secret=SECRET)
    [action] = house.decide("visit", "a")
    house.dispatch()
    assert len(receiver.received) == is_trusted
    status, error = house.row(action, "status", "last_error")
    assert status == ("dispatched" if is_trusted else "approved")
    assert is_trusted or "certificate verify failed" in error


def test_nobody_there_is_a_reason_to_wait(house):
    house = house.under(ALL).at(webhook_url="http://127.0.0.1:1/", webhook_secret=SECRET)
    [action] = house.decide("visit", "a")
    house.dispatch()
    assert "cannot be reached" in house.row(action, "last_error")[0]


def test_a_channel_that_is_not_set_up_waits_and_stops_nobody(house):
    house = house.under(ALL)
    [visit] = house.decide("visit", "a")
    [retention] = house.decide("retention", "b")
    outcome = house.dispatch()
    assert outcome["dispatched"] == {"queue": 1, "webhook": 0, "email": 0}
    assert outcome["waiting"] == [
        {
            "channel": "webhook",
            "action_type": "visit",
            "actions": 1,
            "because": "GRIDGRADE_WEBHOOK_URL and GRIDGRADE_WEBHOOK_SECRET are not set",
        }
    ]
    assert house.row(visit, "status", "attempts") == ("approved", 0)
    assert house.row(retention, "status") == ("dispatched",)
    wrong = house.at(webhook_url="ftp://example.org", webhook_secret=SECRET).dispatch()
    assert "GRIDGRADE_WEBHOOK_URL is not an address of https or http" in wrong["waiting"][0]["because"]


def test_the_policy_may_send_it_elsewhere_meanwhile(house):
    waiting = house.under(ALL)
    [action] = waiting.decide("visit", "a")
    waiting.dispatch()
    house.under({"visit": {"channels": ["queue"], "approval": "automatic"}}).dispatch()
    assert house.row(action, "status", "channel") == ("dispatched", "queue")


def test_a_type_the_policy_does_not_name_is_not_sent(house):
    waiting = house.under(ALL)
    waiting.decide("visit", "a")
    waiting.dispatch()
    outcome = house.under({"retention": ALL["retention"]}).dispatch()
    assert outcome["waiting"][0]["because"] == "the policy's actions.types has no visit"


def test_only_scheduled_runs_send_by_themselves_and_only_what_needs_no_person(house):
    queued = house.under({"retention": ALL["retention"], "inspection": {"channels": ["queue"]}})
    [scheduled] = queued.decide("retention", "a")
    [required] = queued.decide("inspection", "a")
    by_hand = [queued.decide("retention", kind, run_kind=kind)[0] for kind in ("manual", "command")]
    assert queued.dispatch()["to_approve"] == 3
    assert queued.row(scheduled, "status") == ("dispatched",)
    assert {queued.row(action, "status") for action in (required, *by_hand)} == {("proposed",)}


@pytest.mark.parametrize("case", ["a backfill", "an older month", "a backfill of what a schedule published"])
def test_a_backfill_and_an_older_month_send_nothing(house, case):
    queued = house.under(ALL)
    if case == "an older month":
        queued.publish(month=MONTH + 1)
    queued.publish("backfill" if case == "a backfill" else "scheduled")
    [action] = queued.decide("retention", "a", run_kind="backfill" if case.endswith("published") else None)
    outcome = queued.dispatch()
    assert (outcome["approved"], outcome["to_approve"]) == (0, 0)
    assert queued.row(action, "status", "suppressed_by") == ("suppressed", "publication")


def test_what_expired_is_not_sent(house, receiver):
    types = ALL | {"visit": ALL["visit"] | {"expires_hours": 1}}
    house = house.under(types).at(webhook_url=receiver.url, webhook_secret=SECRET)
    past = ("timestamptz", "2026-01-01")
    [by_itself] = house.decide("collection", "a", expires_at=past)
    [unapproved] = house.decide("inspection", "a", expires_at=past)
    [by_policy] = house.decide("visit", "a")
    house.sql(
        "update ops.service_actions set status = 'approved', approved_at = now() - interval '61 minutes' "
        "where action_type = 'visit'"
    )
    outcome = house.dispatch()
    assert not receiver.received
    assert (outcome["failed"], outcome["suppressed"]) == (2, 1)
    for action in (by_itself, by_policy):
        assert house.row(action, "status", "last_error") == ("failed", "it expired before it was sent")
    assert house.row(unapproved, "status", "suppressed_by") == ("suppressed", "expiry")


def test_what_takes_something_back_goes_after_it_or_not_at_all(sending, receiver):
    [first] = sending.decide("visit", "a")
    [second] = sending.decide("collection", "b", follows=("uuid", first))
    receiver.script.append(500)
    outcome = sending.dispatch()
    assert receiver.keys == [first]
    assert outcome["waiting"][0]["because"] == "what it follows has not been sent yet"
    sending.pass_time()
    sending.dispatch()
    assert receiver.keys == [first, first, second]

    [first] = sending.decide("visit", "x")
    [second] = sending.decide("retention", "y", follows=("uuid", first))
    receiver.script.append(400)
    sending.dispatch()
    assert sending.row(first, "status") == ("failed",)
    sending.dispatch()
    assert sending.row(second, "status", "suppressed_by") == ("suppressed", "followed")


def test_the_urgent_goes_first(sending, receiver):
    late = sending.decide("visit", "a", "b")
    [urgent] = sending.decide("collection", "c", priority=("smallint", 1))
    sending.dispatch()
    assert receiver.keys == [urgent, *sorted(late)]


def test_dispatchers_keep_to_the_rate_together(house, receiver):
    house = house.under(ALL, per_minute=600).at(webhook_url=receiver.url, webhook_secret=SECRET)
    house.decide("visit", *map(str, range(8)))
    started = datetime.now(UTC)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: house.dispatch(), range(2)))
    assert house.statuses() == {"dispatched": 8}
    assert (datetime.now(UTC) - started).total_seconds() >= 0.7


def test_several_dispatchers_send_each_action_once(sending, receiver):
    actions = sending.decide("visit", *map(str, range(40)))
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: sending.dispatch(), range(4)))
    assert sum(outcome["dispatched"]["webhook"] for outcome in outcomes) == 40
    assert sorted(receiver.keys) == sorted(actions)


DISPATCH = """
from pipeline.actions.outbox.dispatch import dispatch
from pipeline.policy import Policy
from pipeline.settings import Settings
settings = Settings.load()
dispatch(settings, Policy.load(settings.policy))
"""


def test_a_dispatcher_that_is_killed_leaves_nothing_behind(sending, receiver, tmp_path):
    receiver.script.extend([200, "stall"])
    actions = sending.decide("visit", "a", "b", "c")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "actions: {types: {visit: {channels: [webhook], approval: automatic}}, "
        "channels: {webhook: {timeout_seconds: 30}}}"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
    ours = {
        "GRIDGRADE_HOME": str(sending.settings.home),
        "GRIDGRADE_WAREHOUSE_URL": sending.settings.warehouse.render_as_string(hide_password=False),
        "GRIDGRADE_WEBHOOK_URL": receiver.url,
        "GRIDGRADE_WEBHOOK_SECRET": SECRET,
        "GRIDGRADE_POLICY": str(policy),
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen([sys.executable, "-c", DISPATCH], env=environment | ours) as dispatcher:
        assert receiver.stalling.wait(30)
        dispatcher.send_signal(signal.SIGKILL)
        assert dispatcher.wait(30) == -signal.SIGKILL

    assert sending.statuses() == {"dispatched": 1, "approved": 2}
    [(in_flight,)] = sending.sql(
        "select action_id::text from ops.service_actions where leased_until > now() and attempts = 1"
    )
    assert sending.dispatch()["dispatched"]["webhook"] == 1  # the one it had not begun with; the other is still leased
    assert receiver.keys.count(in_flight) == 1
    sending.pass_time()
    sending.dispatch()
    assert sending.statuses() == {"dispatched": 3}
    assert receiver.keys.count(in_flight) == 2
    assert receiver.done == set(actions)


def test_what_goes_by_thousands_goes_in_batches(house, monkeypatch):
    """Approvals, expiries, routes and the work queue, of more actions than a transaction may change."""
    monkeypatch.setattr(delivery, "BATCH", 2)
    queued = house.under(ALL)
    late = queued.decide("inspection", *"abcde", expires_at=("timestamptz", "2026-01-01 00:00Z"))
    moved = queued.decide("visit", *"abcde", run_kind="command")
    queued.sql("update ops.service_actions set status = 'approved', channel = 'email' where action_type = 'visit'")
    actions = queued.decide("retention", *"abcde")
    locks = []
    taken = delivery.take_lock
    monkeypatch.setattr(delivery, "take_lock", lambda connection: (locks.append(1), taken(connection)))
    outcome = queued.dispatch()
    assert (outcome["approved"], outcome["suppressed"], outcome["dispatched"]["queue"]) == (5, 5, 5)
    assert len(locks) > 3 * 4, "three batches for each"
    assert {queued.row(action, "suppressed_by") for action in late} == {("expiry",)}
    assert {queued.row(action, "channel") for action in moved} == {("webhook",)}
    for action in actions:
        assert [status for status, *_ in queued.history(action)] == ["proposed", "approved", "dispatched"]


@pytest.mark.parametrize(
    ("batch", "left"),
    [(1, {"proposed": 6}), (3, {"proposed": 2, "approved": 4}), (6, {"approved": 4, "dispatched": 2})],
)
def test_a_dispatcher_killed_between_batches_leaves_whole_ones(house, forks, batch, left):
    queued = house.under({"retention": {"channels": ["queue"], "approval": "automatic"}})
    actions = queued.decide("retention", *"abcdef")
    source = KILLED.format(batch=batch)
    assert forks.run(source, variables(queued.settings)) == -signal.SIGKILL
    assert queued.statuses() == left
    queued.dispatch()
    assert queued.statuses() == {"dispatched": 6}
    for action in actions:
        assert [status for status, *_ in queued.history(action)] == ["proposed", "approved", "dispatched"]


# A dispatcher that dies when it begins a batch of its two actions.
KILLED = """
import os, signal
from pipeline.actions.outbox import delivery
from pipeline.actions.outbox.dispatch import dispatch
from pipeline.policy import Policy
from pipeline.settings import Settings

delivery.BATCH, taken, batches = 2, delivery.take_lock, []

def take_lock(connection):
    batches.append(1)
    taken(connection)
    if len(batches) == {batch}:
        os.kill(os.getpid(), signal.SIGKILL)

delivery.take_lock = take_lock
delivery.settle = lambda *given: {{}}
dispatch(Settings.load(), Policy.load())
"""


def test_a_last_attempt_that_broke_off_is_a_failure(sending):
    [action] = sending.decide("visit", "a")
    sending.sql(
        "update ops.service_actions set status = 'approved', approved_at = now(), channel = 'webhook', attempts = 3, "
        "leased_until = now() - interval '1 second'"
    )
    sending.dispatch()
    assert sending.row(action, "status", "last_error") == (
        "failed",
        "its last attempt broke off, and may have arrived",
    )


def test_no_secret_is_kept_or_logged(house, receiver, caplog):
    caplog.set_level(logging.DEBUG)
    url = receiver.url.replace("http://", "http://user:pa55word@") + "?token=t0ken"
    house = house.under(ALL).at(webhook_url=url, webhook_secret=SECRET)
    receiver.script.extend([500, 400, "drop"])
    house.decide("visit", "a", "b", "c", "d")
    house.dispatch()
    assert receiver.received[0][0]["Authorization"] == "Basic " + base64.b64encode(b"user:pa55word").decode()
    kept = str(house.sql("select * from ops.service_actions")) + str(
        house.sql("select * from ops.service_action_events")
    )
    for secret in (SECRET, "pa55word", "t0ken"):
        assert secret not in caplog.text + kept + repr(house.settings)


def test_waiting_times_grow_to_their_limit_and_differ_between_actions(house):
    use = house.under(ALL).policy.actions.channels.webhook
    for _ in range(50):
        action = uuid4()
        waits = [delivery.backoff_seconds(action, attempt, use) for attempt in range(1, 100)]
        for attempt, seconds in enumerate(waits, start=1):
            longest = min(600, 60 * 2 ** (attempt - 1))
            assert longest / 2 <= seconds <= longest
        assert waits == [delivery.backoff_seconds(action, attempt, use) for attempt in range(1, 100)]
    assert len({delivery.backoff_seconds(uuid4(), 1, use) for _ in range(50)}) == 50
