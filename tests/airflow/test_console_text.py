"""Text of the billing system, of people and of an address is only ever text, on every page of the console."""

import tests.support.in_airflow  # noqa: F401  isort: skip

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.support.console import EVIL, token
from tests.support.environment import variables

ONE = "00000000-0000-0000-0000-000000000001"
SCRIPT = EVIL["script"]
# By page, the texts of the warehouse that it shows.
SHOWING = {
    "/": [],
    "/customers?q=e": [EVIL[name] for name in ("script", "right-to-left", "quotes")],
    **{f"/customer?id={quote(text)}": [text] for text in EVIL.values()},
    f"/customer?lang=zh&id={quote(SCRIPT)}": [SCRIPT],
    "/actions": [],
    f"/action?id={ONE}": [SCRIPT],
    "/models": [],
    "/model?version=challenger-1": [SCRIPT],
    "/months": [],
    "/month?month=2026-10": [],
    "/month-difference?month=2026-10&before=1&after=2": [],
}
ASKED = (
    "/customers?q={}",
    "/customer?id={}x",
    "/actions?status={}",
    "/actions?type={}",
    "/action?id={}",
    "/model?version={}",
)
ASKED += ("/month?month={}", "/{}", "/customer?id=C00001&lang={}")


class Parsed(HTMLParser):
    """The texts of a page, and whatever in it could act that is not the console's own."""

    def __init__(self, text: str):
        super().__init__()
        self.text, self.foreign = "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        known = {("script", "static/console.js")}
        source = dict(attributes).get("src")
        if tag in ("script", "img", "iframe", "object", "embed", "base", "style") and (tag, source) not in known:
            self.foreign.append((tag, source))
        self.foreign += [each for each in attributes if each[0].startswith("on") or "javascript:" in (each[1] or "")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(console_warehouse, airflow_app):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables(console_warehouse).items():
            patch.setenv(name, value)
        client = TestClient(airflow_app, follow_redirects=False)
        client.cookies.set("_token", token("viewer", "viewer"))
        yield lambda path: client.get(f"/gridgrade{path}")


@pytest.mark.parametrize("path", SHOWING)
def test_what_a_page_shows_of_the_source_is_text(page, path):
    answer = page(path)
    parsed = Parsed(answer.text)
    assert (answer.status_code, parsed.foreign) == (200, [])
    assert not [text for text in SHOWING[path] if text not in parsed.text]


@pytest.mark.parametrize("path", ASKED)
def test_what_is_asked_for_comes_back_as_text_or_not_at_all(page, path):
    for text in EVIL.values():
        answer = page(path.format(quote(text, safe="")))
        assert answer.status_code < 500, (path, answer.status_code)
        assert Parsed(answer.text).foreign == []
