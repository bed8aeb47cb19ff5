"""Charts of the console: what they show, what they say to who cannot see them, and that the palette colours them."""

import re
from datetime import date

import pytest

from pipeline.console import models, pictures, portfolio
from pipeline.pages.palette import COLOURS
from pipeline.warehouse.reader import reading
from tests.support.console import EVIL, SEPTEMBER
from tests.support.records.indices import OCTOBER


@pytest.fixture(scope="module")
def settings(console_warehouse):
    return reading(console_warehouse)


def alternative(svg) -> str:
    return re.search(r'role="img".*?aria-label="([^"]*)"', svg)[1]


def texts(svg) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_grades_are_drawn_for_the_months_that_are_there(settings, policy):
    now, before = (portfolio.portfolio(settings, month) for month in (OCTOBER, SEPTEMBER))
    months = {OCTOBER - 12: None, SEPTEMBER: before, OCTOBER: now}
    svg = pictures.customers_by_grade(policy.grades.names, months)
    assert alternative(svg) == "Customers by grade in 2026-09 and 2026-10"
    assert set(policy.grades.names) <= set(texts(svg))
    assert {"var(--before)", "var(--now)"} < set(re.findall(r"var\(--[\w-]+\)", svg))
    assert "var(--long-before)" not in svg


def test_recovery_is_drawn_from_two_months_on(settings):
    rows = portfolio.recovery(settings, OCTOBER)
    assert alternative(pictures.recovery(rows)).endswith(": 2026-09 to 2026-10")
    assert pictures.recovery(rows[:1]) is None
    assert pictures.recovery([]) is None


def test_a_score_carries_its_grade_at_each_month():
    history = [
        {"rating_month": date(2026, month, 1), "score": 600.0 + month, "grade": grade}
        for month, grade in ((10, "AA"), (9, EVIL["script"]), (8, "D"))
    ]
    svg = pictures.score(history)
    assert alternative(svg).endswith(": 2026-08 to 2026-10")
    assert {"AA", "D"} <= set(texts(svg))
    assert "<script" not in svg
    assert pictures.score(history[:1]) is None


def test_metrics_are_drawn_by_family(settings):
    rows = models.monitoring(settings)
    psi, auc = pictures.by_version(rows, "psi", "PSI", limit="psi_limit"), pictures.by_version(rows, "auc", "AUC")
    assert psi.keys() == auc.keys() == {row["family"] for row in rows}
    ids = re.findall(r'\bid="([^"]+)"', "".join([*psi.values(), *auc.values()]))
    assert len(ids) == len(set(ids))
    assert all("limit" in texts(svg) for svg in psi.values())
    assert pictures.by_version([], "psi", "PSI") == {}


def test_the_palette_has_every_colour_light_and_dark_by_choice_and_by_system():
    assert all(pictures.PALETTE.count(f"--{name}: ") == 3 for name in COLOURS)
    assert pictures.PALETTE.count("{") == pictures.PALETTE.count("}")
