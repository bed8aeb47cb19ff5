"""Alerts: found in the warehouse, sent by Airflow's own notifier to a mail server."""

from tests.support import in_airflow  # noqa: F401  isort: skip

import os
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.policy import default
from types import SimpleNamespace

import gridgrade_run
import pytest
from gridgrade_alerts import send
from gridgrade_notifier import TaskFailed
from sqlalchemy import create_engine, text

from pipeline.errors import ConfigError, DataQualityError
from pipeline.monitoring.alerts import Alert, find
from pipeline.policy import Policy
from tests.support.receivers import MailReceiver
from tests.support.records.indices import OCTOBER

SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
ARGUMENTS = {
    "smtp_conn_id": "gridgrade_smtp",
    "from_email": "gridgrade@utility.example",
    "to": ["office@utility.example"],
    "subject": "{{ alert.subject }}",
    "html_content": "<p>{{ alert.line | e }}</p><p>{{ alert.link | e }}</p>",
}

A_CHECK = """
insert into rating.model_monitoring
    (rating_month, segment, version, measure, subject, compared_with, value, limit_value, status, customers, unseen,
    basis)
select :month, 'residential', min(version), 'psi', 'score', 'training', 0.4, 0.25, 'fail', 50, 0, 'as_known_then'
from rating.models
"""
AN_ACTION = """
insert into ops.service_actions
    (action_id, rating_month, customer_id, action_type, reason, payload, status, due_at)
values (gen_random_uuid(), :month, 'C00001', 'visit', 'r', '{}', 'approved', :due)
"""


@pytest.fixture
def mailbox(monkeypatch):
    receiver = MailReceiver()
    extra = "disable_ssl=true&disable_tls=true&timeout=30&retry_limit=1"
    monkeypatch.setitem(os.environ, "AIRFLOW_CONN_GRIDGRADE_SMTP", f"smtp://127.0.0.1:{receiver.port}/?{extra}")
    yield receiver
    receiver.close()


@pytest.fixture
def alerting(policy):
    """The policy, with these notifiers and other keys of its section alerts."""

    def with_notifiers(*notifiers, **others):
        document = policy.model_dump(mode="json")
        document["alerts"] |= {"notifiers": list(notifiers)} | others
        return Policy.model_validate(document)

    return with_notifiers


@pytest.fixture
def failed():
    task = SimpleNamespace(dag_id="credit_rating", task_id="validate", log_url="http://airflow/log?a=1&b=2")
    run = SimpleNamespace(partition_key="2026-10", run_id="scheduled__1")
    error = DataQualityError("7 % of payments failed, id <script>{{ 7 * 7 }}</script>")
    return {"ti": task, "dag_run": run, "params": {"rating_month": None}, "exception": error}


def test_a_failed_task_reaches_people_with_its_line_and_link(mailbox, alerting, failed, monkeypatch):
    policy = alerting({"notifier": SMTP, "arguments": ARGUMENTS})
    monkeypatch.setattr(gridgrade_run, "settings_and_policy", lambda: (None, policy))
    TaskFailed().notify(failed)
    [(to, mail)] = mailbox.received
    assert to == ["office@utility.example"]
    assert "Subject: Gridgrade: failed: credit_rating 2026-10" in mail
    [part] = message_from_string(mail, policy=default).iter_parts()
    page = part.get_content()
    assert "7 % of payments failed, id &lt;script&gt;{{ 7 * 7 }}&lt;/script&gt;" in page
    assert "http://airflow/log?a=1&amp;b=2" in page


def test_one_notifier_that_fails_does_not_stop_the_next(mailbox, alerting, caplog):
    broken = {"notifier": SMTP, "arguments": ARGUMENTS | {"smtp_conn_id": "there_is_none"}}
    missing = {"notifier": "airflow.providers.none.notifications.None", "arguments": {}}
    other = {"notifier": "airflow.providers.smtp.hooks.smtp.SmtpHook", "arguments": {}}
    policy = alerting(broken, missing, other, {"notifier": SMTP, "arguments": ARGUMENTS})
    assert send([Alert("late", "2026-10 not published")], policy, {}) == 1
    assert len(mailbox.received) == 1
    assert "there is no airflow.providers.none" in caplog.text
    assert "is no notifier of Airflow" in caplog.text


def test_a_failed_alert_fails_nobody_else(failed, monkeypatch, capfd):
    def refuse():
        raise ConfigError("the policy cannot be read")

    monkeypatch.setattr(gridgrade_run, "settings_and_policy", refuse)
    TaskFailed().notify(failed)
    assert "nobody was alerted: ConfigError: the policy cannot be read" in "".join(capfd.readouterr())


def test_only_airflows_own_notifiers_can_be_named(alerting):
    with pytest.raises(ValueError, match="notifier"):
        alerting({"notifier": "os.system", "arguments": {"command": "true"}})


@pytest.fixture
def own(databases, published, tmp_path):
    """A published month that a test may change."""
    with databases(tmp_path / "own", like=published) as settings:
        yield settings


class TestFind:
    def test_an_installation_that_never_rated_has_nothing_to_be_late(self, settings, policy):
        assert find(datetime(2030, 1, 1, tzinfo=UTC), settings, policy) == []

    @pytest.mark.parametrize(
        ("at", "late"),
        [
            ("2026-12-10T23:59:00+00:00", None),
            ("2026-12-11T00:00:00+00:00", "2026-11 not published 10 days after"),
            ("2027-02-20T00:00:00+00:00", "2026-11 to 2027-01 not published"),
        ],
    )
    def test_a_month_is_late_once_its_days_are_over(self, published, policy, at, late):
        lines = [alert.line for alert in find(datetime.fromisoformat(at), published, policy) if alert.kind == "late"]
        assert len(lines) == (late is not None)
        assert not late or lines[0].startswith(late)

    def test_what_is_stale_past_a_limit_or_overdue_is_found(self, own, alerting):
        at = datetime(2026, 11, 5, tzinfo=UTC)
        policy = alerting()
        assert not {alert.kind for alert in find(at, own, policy)} & {"stale", "overdue"}
        month = {"month": OCTOBER.first_day}
        with create_engine(own.warehouse).begin() as connection:
            connection.execute(text("update ops.publications set stale_since = now() where superseded_at is null"))
            connection.execute(text(A_CHECK), month)
            connection.execute(text(AN_ACTION), month | {"due": at - timedelta(hours=1)})
        kinds = {alert.kind: alert.line for alert in find(at, own, policy)}
        assert kinds["stale"].startswith("2026-10 built on what has changed since")
        assert "psi score" in kinds["monitoring"]
        assert kinds["overdue"].startswith("1 actions past their due time: 1 visit approved")
        assert "overdue" not in {alert.kind for alert in find(at, own, alerting(overdue_actions=1))}
