import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pipeline.models.card import page as card
from pipeline.models.card.page import CardContext
from pipeline.scorecard import (
    CreditModel,
    ExpertScorecard,
    GradeScale,
    SplineCalibrator,
    adverse_impact,
    evaluate,
    selection_counts,
)
from tests.support import rating_problem

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Every tag with its attributes, the text, and whether tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data}"

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def story():
    """(document, verdict, context) of a model with everything a card can show."""
    frame, default = rating_problem.customers()
    frame = frame.assign(calls=np.where(frame.index % 9 == 0, 96.0, frame.index % 7), same=1.0)
    directions = {"on_time_rate": "-", "arrears_ratio": "-"}  # the first is contradicted
    model = CreditModel().fit(
        frame[:2000],
        default[:2000],
        binned=("arrears_ratio",),
        sentinels={"calls": (96,)},
    )
    later = frame[2000:]
    verdict = evaluate(default[2000:], model.default_probability(later), GradeScale(), model.score(later))
    impact = adverse_impact(selection_counts(np.where(later.index % 3, "north", "south"), later.index % 9 < 6))
    context = CardContext(
        version="residential-2026-10-abcd",
        title="Credit <model>",
        facts={"in force": "from 2026-10"},
        indices={name: {"code": "X1", "meaning": "how <much>", "direction": d} for name, d in directions.items()},
        population="Everybody",
        samples={"fit": {"customers": 2000, "defaults": 200}, "test": {"customers": 0, "defaults": 0}},
        fairness={"region": impact.reset_index().to_dict("records")},
        drift=model.monitoring.drift(model.count(later)).reset_index().to_dict("records"),
        gates=[{"gate": "auc", "passed": False, "value": 0.58, "limit": 0.6, "detail": None}],
        limits=["No reason to disconnect anybody."],
        approvals=[{"status": "in force", "by": "M. Chen", "at": "2026-11-01"}],
    )
    return json.loads(json.dumps(model.to_dict())), json.loads(json.dumps(verdict)), context


@pytest.fixture(scope="module")
def html(story):
    return card.html(*story)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_whole_and_needs_nothing_else(html, page):
    assert page.open == []
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "img")]
    assert not re.search(r"https?:|url\((?!#)|@import|src=", html)
    assert len(html) < 150_000


def test_every_curve_can_be_read_aloud_and_is_in_the_colours_of_the_page(html, page):
    drawings = page.all("svg")
    titles = ["ROC", "Separation", "Score distribution", "Calibration", "Default rate by grade", "What moves the score"]
    assert [svg["aria-label"].startswith(title) for svg, title in zip(drawings, titles, strict=True)] == [True] * 6
    assert all(svg["role"] == "img" for svg in drawings)
    assert {"var(--series-1)", "var(--series-2)"} < set(re.findall(r"var\(--[\w-]+\)", html))
    assert not re.search("#1dea|NaN|Infinity", html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_each_tenth_of_the_calibration_has_its_rates(story, page):
    words = " ".join(page.text.split())
    for place, row in enumerate(story[1]["curves"]["calibration"], 1):
        assert f"{place} {row['customers']:,} {row['expected_rate']:.2%} {row['default_rate']:.2%}" in words


def test_it_says_what_the_verdict_and_the_model_say(story, page):
    document, verdict, _ = story
    words = " ".join(page.text.split())
    auc = verdict["auc"]
    assert f"AUC, 95% {auc['low']:.3f} to {auc['high']:.3f} {auc['value']:.3f}" in words
    assert f"KS {verdict['ks']:.3f} at a score of" in words
    for grade, row in verdict["by_grade"].items():
        assert f"{grade} {row['customers']:,}" in words
    discriminant = document["discriminant"]
    for name, weight in zip(discriminant["features"], discriminant["coefficients"], strict=True):
        assert name in words
        assert f"{weight:.3f}" in words
    assert "same : constant in training after clipping and filling" in words
    assert "1 where it is the code 96" in words
    assert "Bins of arrears_ratio" in words
    assert "No reason to disconnect anybody." in words
    assert "M. Chen" in words


def test_the_log_odds_it_prints_are_the_models(story, page):
    calibrator = SplineCalibrator.from_dict(story[0]["calibration"])
    assert calibrator.knots_
    [formula] = re.findall(r"log-odds of default = (.*?)\. 600 points", " ".join(page.text.split()))
    formula = formula.replace("−", "-").replace("×", "*")
    for d in (*calibrator.knots_, -12.0, 0.0, 12.0):
        assert eval(formula, {"D": d, "max": max}) == pytest.approx(calibrator.log_odds(d), abs=0.05)


def test_a_weight_against_its_direction_and_a_failed_gate_stand_out(page, html):
    assert "against its direction" in page.text
    assert re.search(r'<span class="badge bad">more is better</span>', html)
    assert re.search(r'<span class="badge bad">failed</span>', html)


def test_what_comes_from_elsewhere_is_escaped(html):
    assert "Credit &lt;model&gt;" in html
    assert "how &lt;much&gt;" in html
    assert "<model>" not in html


def test_the_same_model_gives_the_same_bytes(story, html):
    assert card.html(*story) == html


def test_a_model_that_could_not_be_judged_says_so(story):
    document, _, _ = story
    page = Page(card.html(document, {"customers": 3, "defaults": 0}, CardContext("v")))
    assert "Not judged" in page.text
    assert "Nobody has approved it." in page.text
    assert "No groups were given" in page.text


def test_the_expert_scorecard_has_a_card_too():
    expert = ExpertScorecard(-5, {"late_band": 0.5, "arrears_band": 0.0})
    context = CardContext("v", indices={"late": {"code": "P3", "meaning": "days late", "direction": "-"}})
    page = Page(card.html(expert.to_dict(), {"customers": 0, "defaults": 0}, context))
    assert "Nothing in it was learnt from labels." in page.text
    assert "days late" in page.text
