"""The console in a real browser, in Airflow's own pages, logged in as one of its users."""

import tests.support.in_airflow  # noqa: F401  isort: skip

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.airflow import free_port
from tests.support.browser import FLAGS, log_in
from tests.support.console import EVIL, PASSWORDS, chromium
from tests.support.environment import variables

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no chromium on this machine (Debian: apt-get install chromium)"),
]

WAIT_MS = 60_000
STROKE = "selector => getComputedStyle(document.querySelector(selector)).stroke"
PAGES = {
    "portfolio": "",
    "customers": "customers?q=C0000",
    "customer": "customer?id=C00001",
    "customer of Chinese texts": "customer?id=C00002&lang=zh",
    "actions": "actions",
    "action": "action?id=00000000-0000-0000-0000-000000000001",
    "models": "models",
    "model": "model?version=challenger-1",
    "months": "months",
    "month": "month?month=2026-10",
    "difference": "month-difference?month=2026-10&before=1&after=2",
    "refusal": "customer?id=nobody",
}


@pytest.fixture(scope="module")
def server(console_warehouse, airflow_app) -> Iterator[str]:
    """Airflow's API server on a port of its own, with the test's warehouse in its environment."""
    import uvicorn

    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables(console_warehouse).items():
            patch.setenv(name, value)
        port = free_port()
        served = uvicorn.Server(uvicorn.Config(airflow_app, "127.0.0.1", port, log_level="warning"))
        thread = threading.Thread(target=served.run)
        thread.start()
        while not served.started:
            if not thread.is_alive():
                pytest.fail("the API server ended before it began to serve")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        served.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(chromium()), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def login(browser, server) -> dict:
    """What a browser holds after the form of Airflow's own login."""
    context = browser.new_context(base_url=server)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    log_in(page, "/", "ann", PASSWORDS["ann"])
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser, server, login) -> Iterator:
    """A page of the console's, logged in; whatever the browser complains of, or asks another server for, fails it."""
    complaints: list[str] = []
    context = browser.new_context(base_url=f"{server}/gridgrade/", storage_state=login)
    found = context.new_page()
    found.set_default_timeout(WAIT_MS)
    found.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    found.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith(server) else None)
    yield found
    context.close()
    assert not complaints


def _is_complaint(message) -> bool:
    """A status of a page that the test asked for is none; a blocked script or style is."""
    return message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text


def test_the_console_stands_in_airflows_navigation(browser, server, login):
    context = browser.new_context(storage_state=login)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{server}/")
    page.click("a[href$='/plugin/gridgrade']")
    frame = page.frame_locator("iframe[title=Gridgrade]")
    frame.get_by_role("heading", name="Portfolio").wait_for()
    frame.get_by_role("link", name="Months").click()
    frame.get_by_role("heading", name="Months").wait_for()
    context.close()


def test_find_a_customer_and_read_why(page):
    page.goto("")
    page.get_by_role("searchbox", name="Customer id").fill("C00003")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="C00003").wait_for()
    assert page.get_by_role("heading", name="Why this grade").is_visible()
    table = page.locator("section", has=page.get_by_role("heading", name="Points that add up to the score"))
    cells = table.locator("td.n:nth-child(6)").all_inner_texts()
    *parts, score = [float(cell.replace("−", "-").replace(",", "")) for cell in cells]
    assert sum(parts) == pytest.approx(score, abs=0.01 * len(parts))
    chart = page.get_by_role("img", name="Score, with the grade of each month")
    assert chart.is_visible()
    assert page.evaluate(STROKE, "svg.chart path[stroke^='var(--series-1)']") == "rgb(11, 90, 157)"


def test_approve_an_action_and_see_it_in_the_outbox_with_the_persons_name(page):
    page.goto("actions?status=proposed")
    row = page.locator("tbody tr").nth(1)
    address = row.get_by_role("rowheader").get_by_role("link").get_attribute("href")
    row.get_by_role("checkbox").check()
    page.get_by_text("1 chosen").wait_for()
    page.get_by_role("button", name="Approve chosen").click()
    page.get_by_text("1 approved, by ann.").wait_for()
    page.get_by_role("link", name="approved").click()
    page.locator(f"a[href='{address}']").click()
    record = page.locator("section", has=page.get_by_role("heading", name="What became of it"))
    assert record.locator("tr", has_text="approved").locator("td").nth(1).inner_text() == "ann"


def test_deny_takes_a_reason(page):
    page.goto("actions?status=proposed&type=collection")
    page.locator("tbody tr").first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Deny chosen").click()
    page.get_by_text("a denial needs a reason").wait_for()
    page.goto("actions?status=proposed&type=collection")
    page.locator("tbody tr").first.get_by_role("checkbox").check()
    page.get_by_label("Reason").first.fill("paid in cash today")
    page.get_by_role("button", name="Deny chosen").click()
    page.get_by_text("1 denied, by ann.").wait_for()


def test_pages_of_the_queue_hold_each_action_once(page):
    page.goto("actions?status=proposed")
    count = int(page.locator("nav.tabs a[aria-current] .count").inner_text())
    found = []
    while True:
        found += [row.get_attribute("href") for row in page.locator("tbody th a").all()]
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            break
        following.click()
        page.get_by_role("link", name="First page").wait_for()
    assert len(found) == len(set(found)) == count


def test_promote_a_challenger(page):
    page.goto("models")
    page.get_by_role("link", name="challenger-1").click()
    page.get_by_label("Reason").fill("tells defaults better since spring")
    page.get_by_role("button", name="Promote").click()
    page.locator(".head .s-champion").wait_for()
    row = page.locator("section", has=page.get_by_role("heading", name="Time in force")).locator("tbody tr")
    assert row.locator("td").all_inner_texts()[::2] == ["ann", "tells defaults better since spring"]


@pytest.fixture
def moves_between_revisions(console_warehouse) -> int:
    """Customers of October whose grade its second revision changed."""
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction

    query = (
        "select count(*) from rating.credit_grades_2026_10_r1 as b "
        "inner join rating.credit_grades_2026_10_r2 as a on a.customer_id = b.customer_id where a.grade <> b.grade"
    )
    with transaction(console_warehouse) as connection:
        return connection.execute(text(query)).scalar_one()


def test_look_at_a_difference(page, moves_between_revisions):
    page.goto("month?month=2026-10")
    page.get_by_role("link", name="with revision 1").click()
    page.get_by_role("heading", name="revision 2 against revision 1").wait_for()
    moved = page.locator(".figures div", has_text="Moved").locator("dd").first.inner_text()
    assert int(moved) == moves_between_revisions


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_evil_texts_show_as_text(page, text):
    page.goto("customers?q=" + _quoted(text[:40]))
    page.goto("customer?id=" + _quoted(text))
    assert page.locator("h1 bdi").inner_text() == text
    assert page.title().startswith(text[:20].split("\u202e")[0])
    assert not page.locator("main img, main script").count()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """axe-core, which looks at a page as a screen reader does; of the npm registry, where there is one."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine to fetch axe-core with")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@4"]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    script = Path(folder, "node_modules/axe-core/axe.min.js")
    if fetched.returncode or not script.exists():
        pytest.skip("axe-core cannot be fetched from the npm registry")
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_has_contrast_labels_and_headings(browser, server, login, axe, theme):
    context = browser.new_context(
        base_url=f"{server}/gridgrade/", storage_state=login, color_scheme=theme, bypass_csp=True
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    faults = {}
    for name in PAGES if theme == "light" else ("portfolio", "actions", "action", "model"):
        page.goto(PAGES[name])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        faults |= {(name, one["id"]): [node["html"][:200] for node in one["nodes"][:3]] for one in found}
    context.close()
    assert not faults


def test_the_theme_set_in_airflow_wins(browser, server, login):
    context = browser.new_context(base_url=f"{server}/gridgrade/", storage_state=login, color_scheme="light")
    context.add_init_script("localStorage.setItem('theme', 'dark')")
    page = context.new_page()
    page.goto("models", timeout=WAIT_MS)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    line = page.evaluate(STROKE, "svg.chart path[stroke^='var(--series-1)']")
    context.close()
    assert dark == "rgb(22, 29, 45)"
    assert line == "rgb(109, 179, 238)"
