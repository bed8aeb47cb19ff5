"""The monthly report: every figure is its view's, nothing is asked for, text is text, and what is not there is said."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import psycopg
import pytest

from pipeline.errors import NotPublishedError
from pipeline.pages import charts
from pipeline.report import figures, page
from pipeline.report.parts import words_in
from pipeline.report.report import read, report
from tests.support.records.indices import OCTOBER

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags with their attributes, the figures with what they show, and whether tags close in order."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.open, self.figures, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self.figures.append((dict(attributes), []))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "data":
            self.figures[-1][1].append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def found(explained):
    return read(explained, OCTOBER)


@pytest.fixture(scope="module", params=["en", "zh"])
def html(found, request):
    return page.html(found, request.param)


def shown_as(text: str) -> tuple[Decimal, Decimal]:
    """The number that a figure shows, and half a unit of its last digit."""
    number = re.sub(r"[,+%]| pp", "", text).replace("\N{MINUS SIGN}", "-")
    factor = Decimal(100 if "%" in text or "pp" in text else 1)
    value = Decimal(number)
    return value / factor, Decimal(1).scaleb(value.as_tuple().exponent) / 2 / factor


def test_every_figure_is_that_of_its_view(html, explained):
    url = explained.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    seen = Page(html).figures
    assert len(seen) > 100
    assert {attributes["data-view"] for attributes, _ in seen} > {
        "month_summary",
        "grade_distribution",
        "expected_loss",
    }
    with psycopg.connect(url) as connection:
        views = {name for (name,) in connection.execute("select viewname from pg_views where schemaname = 'report'")}
        for attributes, words in seen:
            view, column = attributes["data-view"], attributes["data-column"]
            assert view in views
            key = dict(parse_qsl(attributes["data-row"], keep_blank_values=True))
            missing = [name for name in figures.VIEWS[view].key if name not in key]
            where = [f'"{name}"::text = %s' for name in key] + [f'"{name}" is null' for name in missing]
            rows = connection.execute(
                f'select "{column}" from report."{view}" where {" and ".join(where)}', list(key.values())
            ).fetchall()
            [(value,)] = rows
            assert attributes["value"] == ("" if value is None else str(value))
            if isinstance(value, int | float | Decimal):
                number, half = shown_as("".join(words))
                assert abs(Decimal(str(value)) - number) <= half + Decimal("1e-12")


def test_the_page_needs_nothing_else(html):
    seen = Page(html)
    assert seen.open == []
    assert not {tag for tag, _ in seen.tags} & {"script", "link", "iframe", "img", "object", "form"}
    assert not re.search(r"https?:|url\((?!#)|@import|src=|\son\w+=", html)


def test_every_chart_has_a_description_for_screen_readers(html):
    seen = Page(html)
    charts_of_page = [svg for svg in seen.all("svg") if svg["class"] == "chart"]
    assert charts_of_page
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in charts_of_page)
    assert len(seen.all("table")) == len(seen.all("caption"))
    assert all(head.get("scope") in ("col", "row") for head in seen.all("th"))
    assert [tag for tag, _ in seen.tags if tag in ("h1", "h2", "h3")][:2] == ["h1", "h2"]
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_first_month_says_in_words_what_is_not_there_yet(found):
    words = Page(page.html(found, "en")).text
    for section in ("migration", "reliability", "recovery", "drift", "actions", "rebates", "quality"):
        assert words_in("en")(f"sections.{section}.none") in words


def test_the_same_figures_give_the_same_bytes(found):
    assert page.html(found, "en") == page.html(found, "en")


def test_a_month_that_is_not_published_is_refused(explained, policy):
    with pytest.raises(NotPublishedError, match="nothing is published for 2026-11"):
        report(OCTOBER + 1, explained, policy)


def test_the_step_writes_a_page_a_language(explained, policy):
    summary = report(OCTOBER, explained, policy)
    assert [path.name for path in sorted(explained.reports_path.iterdir())] == ["2026-10.html", "2026-10.zh.html"]
    assert summary["reports"][0] == str(explained.reports_path / "2026-10.html")
    assert 'lang="zh"' in (explained.reports_path / "2026-10.zh.html").read_text(encoding="utf-8")


def test_the_command_writes_to_the_file_it_is_given(gridgrade, explained, tmp_path):
    path = tmp_path / "new" / "r.html"
    code, out, _ = gridgrade("report", "2026-10", "--out", str(path), "--lang", "zh", settings=explained)
    assert (code, out) == (0, f"{path}\n")
    assert "信用评级月报" in path.read_text(encoding="utf-8")
    code, _, err = gridgrade("report", "2026-11", settings=explained)
    assert code == 1
    assert err.splitlines()[-1].startswith("gridgrade: nothing is published for 2026-11")


def test_both_languages_say_the_same_things():
    def names(texts, before=""):
        for name, value in texts.items():
            if isinstance(value, dict):
                yield from names(value, f"{before}{name}.")
            else:
                yield f"{before}{name}", frozenset(re.findall(r"{\w+}", value))

    english, chinese = (set(names(words_in(language)._texts)) for language in ("en", "zh"))
    assert english == chinese


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "شركة الكهرباء", "x" * 300, "a\"b'c&d", "表计异常"])
def test_text_of_the_records_is_only_text(found, text):
    rows = {name: list(rows) for name, rows in found.rows.items()}
    rows["expected_loss"] = [
        figures.Row("expected_loss", {**row, "segment": text, "region": text}) for row in rows["expected_loss"][:1]
    ]
    seen = Page(page.html(figures.Figures(found.month, rows, found.cut), "en"))
    assert "script" not in {tag for tag, _ in seen.tags}
    assert text in seen.text


def test_a_chart_is_in_the_colours_of_its_page():
    rows = [{"grade": grade, "month": "2026-10", "n": 3} for grade in ("A", "<b>")]
    drawn = charts.columns(rows, "grade", "n", "month", x_title="", y_title="", order=["A", "<b>"])
    svg = charts.svg(drawn, "name <one>", "one")
    assert "&lt;b&gt;" in svg
    assert 'aria-label="name &lt;one&gt;"' in svg
    assert "var(--series-1)" in svg
    assert not re.search(r"#1dea|style=", svg)
