"""A warehouse for the console's tests, and Airflow's own API server with the console in it."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from pipeline.grading.grade import grade
from pipeline.month import RatingMonth
from pipeline.publishing.publish import publish
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from pipeline.warehouse.tables import monitoring_results
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices

SEPTEMBER = RatingMonth(2026, 9)
# What a billing system may hold: markup, a text that turns the line round, a long one, Chinese, quotes.
EVIL = {
    "script": "<script>document.title='owned'</script>",
    "right-to-left": "C\u202egnp.exe",
    "long": "L" * 300,
    "chinese": "客户一号",
    "quotes": "\"'><img src=x onerror=alert(1)>",
}
PASSWORDS = {"ann": "open sesame", "viewer": "only look"}
ACTION_REASON = EVIL["script"]

_ACTIONS = """
insert into ops.service_actions (
    action_id, rating_month, customer_id, action_type, reason, payload, status, run_kind, priority, due_at,
    publication_id
)
select
    cast(format('00000000-0000-0000-0000-%%s', lpad(cast(n as text), 12, '0')) as uuid),
    '2026-10-01',
    case when n = 1 then %(evil)s else format('C%%s', lpad(cast(n %% 40 as text), 5, '0')) end,
    case when n %% 2 = 0 then 'collection' else 'visit' end,
    case when n = 1 then %(reason)s else format('reason %%s', n) end,
    %(payload)s,
    'proposed',
    'scheduled',
    n %% 5 + 1,
    case when n %% 3 > 0 then timestamptz '2026-11-01T00:00Z' + n * interval '1 hour' end,
    (select publication_id from ops.publications where superseded_at is null and rating_month = '2026-10-01')
from generate_series(1, 120) as n
"""

_MONEY = """
insert into ops.receivables (rating_month, segment, billed, collected, receivable, overdue, publication_id)
select p.rating_month, 'residential', 1000, 900 + extract(month from p.rating_month), 300, 40, p.publication_id
from ops.publications as p
where p.superseded_at is null
"""


@pytest.fixture(scope="session")
def console_warehouse(databases, policy, tmp_path_factory) -> Iterator[Settings]:
    """September 2026, and October in two revisions; customers with evil ids; a challenger; 120 proposed actions; money
    and monitoring."""
    with databases(tmp_path_factory.mktemp("console")) as settings:
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
            model_registry.promote(settings, version, "policy", from_month=SEPTEMBER)
        register(settings, "residential", "challenger-1", expert(policy))
        gate = {"gate": "auc", "passed": True, "is_hard": True, "value": 0.8, "limit": 0.6, "detail": EVIL["script"]}
        model_registry.judge(settings, "challenger-1", [gate], has_passed=True)
        for month, bands in ((SEPTEMBER, "ABCD"), (OCTOBER, "ABCD"), (OCTOBER, "BACD")):
            rows = [customer(n, policy, band=bands[n % 4]) for n in range(40)]
            rows += [
                customer(n, policy, customer_id=text, region=text)
                for n, text in enumerate(EVIL.values() if month == OCTOBER else (), 40)
            ]
            write_indices(settings, pa.Table.from_pylist(rows), month)
            grade(month, settings, policy, **BASIS, models=MODELS)
            publish(month, settings, policy, **BASIS, run_id="test", run_kind="command", accept_moves=True)
            monitoring_results.replace(settings, month, _measured(month), [])
        payload = json.dumps(_payload())
        url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            connection.execute(_ACTIONS, {"evil": EVIL["script"], "reason": ACTION_REASON, "payload": payload})
            connection.execute(_MONEY)
        yield settings


def _measured(month: RatingMonth) -> list[dict]:
    usual = {"customers": 20, "status": "pass", "basis": "as_known_then"}
    outcomes = {"compared_with": "outcomes", "compared_month": (month - 6).first_day, "defaults": 1}
    measures = (
        {"measure": "psi", "subject": "score", "compared_with": "training", "value": 0.02, "limit_value": 0.25},
        {"measure": "auc", "subject": "score", "value": 0.7, **outcomes},
        {
            "measure": "calibration",
            "subject": "A",
            "value": 0.05,
            "low": 0.01,
            "high": 0.2,
            "expected": 0.04,
            **outcomes,
        },
    )
    return [
        usual | {"segment": family, "version": version} | measure | {"value": measure["value"] + month.month / 100}
        for family, version in MODELS.items()
        for measure in measures
    ]


def _payload() -> dict:
    from pipeline.actions.channels.letters import sample

    return sample("collection") | sample("visit")


@pytest.fixture(scope="session")
def airflow_app(tmp_path_factory):
    """Airflow's API server as an application: its login, its pages and this project's plugins; users of PASSWORDS."""
    import os

    import tests.support.in_airflow  # noqa: F401

    passwords = tmp_path_factory.mktemp("airflow") / "passwords.json"
    passwords.write_text(json.dumps(PASSWORDS))
    os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = "ann:user,viewer:viewer"
    os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(passwords)
    os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = "s" * 64
    os.environ["AIRFLOW__API__SECRET_KEY"] = "k" * 32
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"

    from airflow.utils import db

    db.initdb()

    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


def token(username: str, role: str | None) -> str:
    """A login of Airflow's own making; a role of None may nothing."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=username, role=role))


def chromium() -> Path | None:
    """Debian's browser, or another one's; None: there is none."""
    from shutil import which

    found = which("chromium") or which("google-chrome") or which("chromium-browser")
    return Path(found) if found else None
