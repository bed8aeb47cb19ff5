"""Who may see the console and who may change something: real logins and permissions of Airflow, every route."""

import tests.support.in_airflow  # noqa: F401  isort: skip

import re

import psycopg
import pytest
from fastapi.routing import Mount
from fastapi.testclient import TestClient

from tests.support.console import token
from tests.support.environment import variables

PREFIX = "/gridgrade"
ONE = "00000000-0000-0000-0000-000000000002"
HOME = {"sec-fetch-site": "same-origin", "origin": "http://testserver"}
NEEDED = {
    "/customer": "id=C00001",
    "/action": f"id={ONE}",
    "/model": "version=homes",
    "/model-card": "version=homes",
    "/month": "month=2026-10",
    "/month-difference": "month=2026-10&before=1&after=2",
    "/month-late": "month=2026-10",
}


@pytest.fixture
def at(console_warehouse, airflow_app, monkeypatch):
    """``at(role)``: a client with that role's login, or none."""
    for name, value in variables(console_warehouse).items():
        monkeypatch.setenv(name, value)

    def client(role: str | None = "user", *, logged_in: bool = True) -> TestClient:
        found = TestClient(airflow_app, follow_redirects=False)
        if logged_in:
            found.cookies.set("_token", token(role or "nobody", role))
        return found

    return client


@pytest.fixture(scope="module")
def routes(airflow_app) -> list[tuple[str, str]]:
    """Every method and path of the console but its static files, as FastAPI has them."""
    from gridgrade_console.app import create_app

    found = []
    for route in create_app().routes:
        if isinstance(route, Mount):
            assert route.path == "/static"
        else:
            found += [(method, route.path) for method in route.methods]
    return sorted(found)


def address(path: str) -> str:
    return f"{PREFIX}{path}?{NEEDED.get(path, '')}"


def form_of(client: TestClient, path: str = "/actions") -> str:
    """The token that a page carries."""
    return re.search(r'name="token" value="([^"]+)"', client.get(f"{PREFIX}{path}").text)[1]


def test_there_are_pages_and_changes(routes):
    assert {("GET", "/"), ("GET", "/customer"), ("POST", "/actions"), ("POST", "/promote")} <= set(routes)


def test_without_a_login_every_route_answers_401(at, routes):
    client = at(logged_in=False)
    for method, path in routes:
        answer = client.request(method, address(path), headers=HOME)
        assert answer.status_code == 401, (method, path)
        assert "C00001" not in answer.text


def test_without_the_permission_every_route_answers_403(at, routes):
    client = at(None)
    for method, path in routes:
        answer = client.request(method, address(path), headers=HOME)
        assert answer.status_code == 403, (method, path)
        assert "C00001" not in answer.text


def test_who_may_read_sees_every_page_and_may_change_nothing(at, routes):
    client = at("viewer")
    for method, path in routes:
        answer = client.request(method, address(path), headers=HOME)
        expected = {"GET": {200} if path != "/month-late" else {404}}.get(method, {403})
        assert answer.status_code in expected, (method, path, answer.text)


def test_static_files_hold_no_data_and_are_open(at):
    answer = at(logged_in=False).get(f"{PREFIX}/static/console.css")
    assert answer.status_code == 200


def test_a_forged_login_is_refused(at):
    client = at(logged_in=False)
    client.cookies.set("_token", token("ann", "user")[:-4] + "AAAA")
    assert client.get(f"{PREFIX}/").status_code in (401, 403)


FORGED = {
    "of another site": {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    "of a sister site": {"sec-fetch-site": "same-site", "origin": "http://other.testserver"},
    "with a foreign origin": {"origin": "https://evil.example"},
    "with an opaque origin": {"origin": "null"},
    "of nobody knows where": {},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_a_post_from_elsewhere_changes_nothing_even_with_the_token(at, headers, status_of):
    client = at()
    form = {"token": form_of(client), "verb": "approve", "id": ONE}
    assert client.post(f"{PREFIX}/actions", data=form, headers=headers).status_code == 403
    assert status_of(ONE) == "proposed"


def test_a_post_without_the_token_changes_nothing(at, status_of):
    client = at()
    for form in ({}, {"token": ""}, {"token": "made up"}, {"token": "x.y.z"}):
        answer = client.post(f"{PREFIX}/actions", data=form | {"verb": "approve", "id": ONE}, headers=HOME)
        assert answer.status_code == 403
    assert status_of(ONE) == "proposed"


def test_a_token_of_another_person_changes_nothing(at, status_of):
    mallory = at("op")
    form = {"token": form_of(mallory), "verb": "approve", "id": ONE}
    assert at("user").post(f"{PREFIX}/actions", data=form, headers=HOME).status_code == 403
    assert status_of(ONE) == "proposed"


@pytest.fixture
def status_of(console_warehouse):
    from uuid import UUID

    from pipeline.console import outbox

    return lambda action_id: outbox.action(console_warehouse, UUID(action_id))["status"]


def test_every_answer_carries_the_strict_policy(at, routes):
    client = at("viewer")
    answers = [client.request(method, address(path), headers=HOME) for method, path in routes]
    answers += [at(logged_in=False).get(f"{PREFIX}/"), client.get(f"{PREFIX}/nowhere")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_are_read_as_a_role_that_cannot_write(console_warehouse):
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.reader import ROLE, reading

    settings = reading(console_warehouse)
    with transaction(settings) as connection:
        assert connection.execute(text("select current_user")).scalar_one() == ROLE
    for statement in (
        "update ops.service_actions set status = 'approved'",
        "set transaction read write; delete from rating.credit_grades",
        "create table report.mine (a integer)",
    ):
        with pytest.raises(psycopg.Error, match=r"read-only|permission denied"), transaction(settings) as connection:
            connection.connection.driver_connection.execute(statement)


def test_without_the_role_the_transactions_are_read_only(console_warehouse, monkeypatch):
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    from pipeline.warehouse import reader
    from pipeline.warehouse.connection import transaction

    monkeypatch.setattr(reader, "_may_be_reader", lambda url: False)
    settings = reader.reading(console_warehouse)
    with pytest.raises(DBAPIError, match="read-only"), transaction(settings) as connection:
        connection.execute(text("update ops.service_actions set status = 'approved'"))
