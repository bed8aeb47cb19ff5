"""Debian's chromium, for pages that are opened as files."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.console import chromium

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)

_WAIT_MS = 120_000


def log_in(page, url: str, name: str, password: str) -> None:
    """Through the form of Airflow's own login, to where the console stands in its navigation."""
    page.goto(url)
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_selector("a[href$='/plugin/gridgrade']")


@contextmanager
def offline_page() -> Iterator:
    """A page of a browser without a network; a request that is not for a file, or a dialog, fails the test."""
    from playwright import sync_api

    asked: list[str] = []
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(chromium()), args=list(FLAGS))
        context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
        page = context.new_page()
        page.set_default_timeout(_WAIT_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        yield page
        browser.close()
    assert [url for url in asked if not url.startswith("file://")] == []
