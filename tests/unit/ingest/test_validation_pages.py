"""The pages of validation: months, tables, failed rows with their reasons, bounded, and text is only text."""

import json
from decimal import Decimal
from importlib.util import find_spec

import pytest

from pipeline.errors import DataQualityError
from pipeline.ingest import validation_pages
from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.source import contract
from pipeline.text import visible
from tests.support.browser import offline_page
from tests.support.console import EVIL, chromium
from tests.support.html import Page
from tests.support.records.billing import OCTOBER, SEPTEMBER, fill, in_source, payment, records

WRONG_ROWS = 300
RUN = "2026-10_as_known_then"
CHECKED = [name for name, table in contract().items() if "recorded_at" in table.column_names]


def opened(settings, *parts) -> Page:
    return Page(settings.data_docs_path.joinpath(*parts).read_text())


def rows_listed(page: Page) -> int:
    return sum(tag == "th" and attributes.get("scope") == "row" for tag, attributes in page.tags)


def lenient(policy):
    return policy.model_copy(update={"validation": policy.validation.model_copy(update={"quarantine_limit": 1.0})})


def fill_with_wrong_rows(settings, value: str) -> None:
    """Every column but recorded_at holds ``value``, an SQL expression over the row's number n, in every row."""
    for name in CHECKED:
        columns = [f"{value} as {column}" for column in contract()[name].column_names if column != "recorded_at"]
        in_source(
            settings,
            f"drop table if exists {name} cascade",
            f"create table {name} as select {', '.join(columns)}, timestamptz '2026-10-05 12:00Z' as recorded_at "
            f"from generate_series(1, {WRONG_ROWS}) as n",
        )


@pytest.mark.parametrize("value", ["'wrong ' || n", "null"], ids=["unreadable", "missing"])
def test_where_every_row_of_every_table_is_wrong_the_run_stops_with_every_row_in_quarantine(
    settings, policy, sql, value
):
    fill(settings, records())
    fill_with_wrong_rows(settings, value)
    extract(OCTOBER, settings, policy)
    with pytest.raises(DataQualityError, match=rf"customers 2026-10: {WRONG_ROWS} of {WRONG_ROWS} rows \(100.0%\)"):
        validate(OCTOBER, settings, policy)
    counts = sql("select table_name, count(*), bool_and(cardinality(failed) > 0) from ops.quarantine group by 1")
    assert sorted(counts) == sorted((name, WRONG_ROWS, True) for name in CHECKED)
    stopped = opened(settings, RUN, "index.html")
    for name in CHECKED:
        assert f"{name}.html" in stopped.links
        assert any(text.startswith(f"{name} 2026-10: {WRONG_ROWS} of") for text in stopped.texts)
        page = opened(settings, RUN, f"{name}.html")
        assert rows_listed(page) > validation_pages._ROWS_OF_A_KIND
        assert any("some for each set of reasons" in text for text in page.texts)
    assert json.loads((settings.data_docs_path / RUN / "summary.json").read_text())["is_stopped"] is True
    result = validate(OCTOBER, settings, lenient(policy))
    assert result["quarantined"] == dict.fromkeys(CHECKED, WRONG_ROWS)


@pytest.fixture
def validated(settings, policy):
    """Two months; payments whose ids are evil, of an amount that is not positive."""
    tables = records()
    tables["payments"] += [
        payment(1, OCTOBER, payment_id=text, amount=Decimal("-7.25"), channel=text) for text in EVIL.values()
    ]
    fill(settings, tables)
    for month in (SEPTEMBER, OCTOBER):
        extract(month, settings, policy)
        validate(month, settings, lenient(policy))
    return settings


def test_the_index_leads_to_months_tables_and_failed_rows_and_text_is_only_text(validated):
    index = opened(validated, "index.html")
    assert index.links == [f"{RUN}/index.html", f"{RUN}/payments.html", "2026-09_as_known_then/index.html"]
    month = opened(validated, RUN, "index.html")
    assert {"customers.html", "bills.html", "payments.html"} <= set(month.links)
    page = opened(validated, RUN, "payments.html")
    for text in EVIL.values():
        assert visible(text) in page.texts or f"{text[:199]}…" in page.texts
    assert page.texts.count("amount is positive") == 1 + 1 + len(EVIL)  # expectations, months, rows
    assert "-7.25" in page.texts
    for read in (index, month, page):
        assert read.names.isdisjoint({"script", "img", "link", "iframe", "object"})
        assert not [name for _, attributes in read.tags for name in attributes if name == "src" or name[:2] == "on"]
        assert not [link for link in read.links if ":" in link or link.startswith("/")]
    clean = opened(validated, RUN, "bills.html")
    assert "No row of this table is in quarantine." in clean.texts


def test_the_same_month_again_gives_the_same_pages(validated, policy):
    before = {path: path.read_bytes() for path in validated.data_docs_path.rglob("*.*")}
    validate(OCTOBER, validated, lenient(policy))
    assert {path: path.read_bytes() for path in validated.data_docs_path.rglob("*.*")} == before


@pytest.mark.browser
@pytest.mark.skipif(find_spec("playwright") is None, reason="Playwright is not installed")
@pytest.mark.skipif(chromium() is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
def test_a_browser_without_a_network_shows_months_tables_and_failed_rows(validated):
    with offline_page() as page:
        page.goto((validated.data_docs_path / "index.html").as_uri())
        page.get_by_role("link", name="2026-10", exact=True).click()
        page.get_by_role("heading", name="Validation 2026-10").wait_for()
        assert page.get_by_role("rowheader").all_inner_texts() == ["customers", "bills", "payments"]
        page.get_by_role("link", name="payments").click()
        rows = page.locator("#rows tbody tr")
        assert rows.count() == len(EVIL)
        for row in rows.all():
            assert "amount is positive" in row.inner_text()
            assert "-7.25" in row.inner_text()
        assert page.title() == "Validation 2026-10: payments"
        # as it is laid out: the style has been read, and nothing hangs over the page
        assert page.locator("section").first.evaluate("s => getComputedStyle(s).borderRadius") == "8px"
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200
        page.get_by_role("link", name="Validation", exact=True).click()
        page.get_by_role("link", name="2026-09", exact=True).wait_for()
