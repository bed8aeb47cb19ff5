"""The profile of a source: the same figures whatever the database, held against rows counted by hand."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec

import pytest
import sqlalchemy as sa

from pipeline.maintenance.profile_page import html
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.source.profile import profile
from tests.support.browser import offline_page
from tests.support.console import EVIL, chromium
from tests.support.html import Page
from tests.support.records.billing import AUGUST, CUSTOMERS, OCTOBER, bill, customer, fill, payment, records

# In Shanghai it is November already.
LATE = datetime(2026, 10, 31, 18, tzinfo=UTC)


def tables():
    made = records()
    made["customers"] += [customer(50, segment="martian", region=EVIL["script"])]
    made["bills"] += [
        bill(1, OCTOBER, bill_id="nobody's", customer_id=EVIL["quotes"], amount=Decimal("-0.07"), kwh=None),
        bill(2, OCTOBER, bill_id="late", recorded_at=LATE),
        bill(3, OCTOBER, bill_id="far", recorded_at=datetime(2101, 5, 5, tzinfo=UTC)),
    ]
    made["payments"] += [payment(1, AUGUST, payment_id=f"gone {n}", bill_id=f"gone {n}") for n in range(8)]
    return made


@dataclass
class Source:
    settings: Settings
    tables: dict[str, list[dict]]


@pytest.fixture(params=["postgresql", "sqlite"])
def source(request, tmp_path):
    rows = tables()
    if request.param == "postgresql":
        settings = request.getfixturevalue("settings")
        fill(settings, rows)
        return Source(settings, rows)
    settings = Settings(home=tmp_path, source_url=f"sqlite:///{tmp_path}/cis.db")
    engine = sa.create_engine(settings.source)
    with engine.begin() as connection:
        for name, records_of in rows.items():
            columns = contract()[name].column_names
            connection.execute(sa.text(f"create table {name} ({', '.join(columns)})"))
            named = ", ".join(f":{column}" for column in columns)
            connection.execute(
                sa.text(f"insert into {name} values ({named})"),
                [{column: _plain(row.get(column)) for column in columns} for row in records_of],
            )
    return Source(settings, rows)


def _plain(value):
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def test_every_figure_is_that_of_the_rows(source):
    found = {table["table"]: table for table in profile(source.settings, "Asia/Shanghai")}
    assert list(found) == list(contract())
    assert {name: table["state"] for name, table in found.items() if table["state"] != "absent"} == dict.fromkeys(
        ("customers", "bills", "payments", "billing_closes"), "read"
    )
    for name, rows in source.tables.items():
        assert found[name]["rows"] == len(rows)
        for column in found[name]["columns"]:
            if not column["is_absent"]:
                assert column["nulls"] == sum(row.get(column["column"]) is None for row in rows), column
    bills = found["bills"]
    by_month = {row["month"]: row["rows"] for row in bills["months"] if row["rows"]}
    assert by_month == {
        "2026-08": CUSTOMERS, "2026-09": CUSTOMERS, "2026-10": CUSTOMERS + 1, "2026-11": 1, "2101-05": 1
    }  # fmt: skip
    assert bills["other_years"] == []
    [amount] = bills["money"]
    assert amount["total"] == sum(row["amount"] for row in source.tables["bills"])
    assert (amount["least"], amount["largest"]) == (Decimal("-0.07"), Decimal("109.25"))
    columns = {column["column"]: column for column in bills["columns"]}
    assert (columns["issued_on"]["first"], columns["issued_on"]["last"]) == ("2026-08-03", "2026-10-03")
    orphans = {each["column"]: each for each in bills["orphans"]}
    assert orphans["customer_id"] == {
        "column": "customer_id", "table": "customers", "rows": 1, "ids": 1, "examples": [EVIL["quotes"]]
    }  # fmt: skip
    orphans = {each["column"]: each for each in found["payments"]["orphans"]}
    assert (orphans["bill_id"]["rows"], orphans["bill_id"]["ids"]) == (8, 8)
    assert len(orphans["bill_id"]["examples"]) == 5
    assert orphans["customer_id"]["rows"] == 0
    codes = {code["column"]: code for code in found["customers"]["codes"]}
    segments = Counter(row["segment"] for row in source.tables["customers"])
    assert {value["value"]: value["rows"] for value in codes["segment"]["values"]} == segments
    assert [value["value"] for value in codes["segment"]["values"] if not value["is_known"]] == ["martian"]
    assert "contact" not in codes
    json.dumps(list(found.values()), default=str)


def test_a_table_that_is_refused_keeps_no_other_from_being_read(source):
    engine = sa.create_engine(source.settings.source)
    with engine.begin() as connection:
        connection.execute(sa.text("alter table payments rename column amount to betrag"))
    found = {table["table"]: table for table in profile(source.settings, "UTC")}
    assert found["payments"]["state"] == "refused"
    assert "amount" in found["payments"]["detail"]
    assert found["bills"]["state"] == "read"
    page = Page(html(list(found.values()), "cis", "UTC"))
    assert found["payments"]["detail"] in page.texts


def test_the_page_needs_no_script_and_no_request_and_text_is_only_text(source):
    read = profile(source.settings, "UTC")
    page = Page(html(read, "cis.example/billing", "UTC"))
    assert page.names.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert not [link for link in page.links if not link.startswith("#")]
    assert EVIL["quotes"] in page.texts
    assert {"martian", "not in the contract"} <= set(page.texts)
    assert html(read, "cis.example/billing", "UTC") == html(read, "cis.example/billing", "UTC")


def test_an_empty_source_is_profiled_as_empty(settings):
    fill(settings, {name: [] for name in ("customers", "bills", "payments")})
    found = {table["table"]: table for table in profile(settings, "UTC")}
    assert (found["bills"]["rows"], found["bills"]["months"], found["bills"]["codes"]) == (0, [], [])
    Page(html(list(found.values()), "cis", "UTC"))


@pytest.mark.browser
@pytest.mark.skipif(find_spec("playwright") is None, reason="Playwright is not installed")
@pytest.mark.skipif(chromium() is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
def test_a_browser_without_a_network_shows_it(settings, tmp_path):
    fill(settings, tables())
    path = tmp_path / "profile.html"
    path.write_text(html(profile(settings, "UTC"), "cis", "UTC"), encoding="utf-8")
    with offline_page() as page:
        page.goto(path.as_uri())
        page.get_by_role("link", name="bills").click()
        assert page.locator("#bills").get_by_role("img", name="bills: rows by month").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200
