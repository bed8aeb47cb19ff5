"""24,000 credit-card customers, rated by the policy of docs/examples: what a model of real records is worth."""

from pathlib import Path

import pytest
from shared_data import shared_data

from pipeline.cli import rate_month
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import PROJECT
from pipeline.source.load import load_folder
from pipeline.warehouse import registry

OCTOBER = RatingMonth(2005, 10)


@pytest.fixture(scope="module")
def cards() -> Path:
    return shared_data("taiwan_card_train")


@pytest.fixture(scope="module")
def rated_cards(cards, databases, tmp_path_factory):
    """The outcome of October 2005 and the model it was graded by."""
    with databases(tmp_path_factory.mktemp("cards")) as settings:
        load_folder(cards, settings)
        outcome = rate_month(OCTOBER, settings, Policy.load(PROJECT / "docs" / "examples" / "card-policy.yaml"))
        yield outcome, registry.champion(settings, "residential", OCTOBER)


def test_every_customer_has_a_grade(rated_cards):
    outcome, _ = rated_cards
    assert outcome["publish"]["rows"] == 24_000
    assert sum(outcome["grade"]["grades"].values()) == 24_000
    assert min(outcome["grade"]["grades"].values()) > 0


def test_the_model_tells_defaults_among_customers_it_has_not_seen(rated_cards):
    _, model = rated_cards
    assert model.parameters["kind"] == "fisher_lda"
    assert model.metrics["samples"]["test"]["customers"] > 4_000
    assert model.metrics["auc"]["value"] >= 0.745


def test_default_rates_fall_from_d_to_aaa_without_a_step_back(rated_cards):
    _, model = rated_cards
    grades = model.metrics["by_grade"]
    assert list(grades) == ["AAA", "AA", "A", "B", "C", "D"]
    rates = [grade["defaults"] / grade["customers"] for grade in grades.values()]
    assert rates == sorted(rates)
    assert len(set(rates)) == len(rates)
