"""24,000 credit-card customers, rated by the policy of docs/examples: what a model of real records is worth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

from pipeline.customers.index_values import model_columns, write_indices
from pipeline.cycle import rate_month
from pipeline.engine import open_engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.resources import ROOT
from pipeline.scorecard import CreditModel, auc
from pipeline.scorecard.fisher import FisherLDA
from pipeline.source.load import load_folder
from pipeline.warehouse import model_registry
from tests.support.published_data import shared_data

SEPTEMBER, OCTOBER = RatingMonth(2005, 9), RatingMonth(2005, 10)


@pytest.fixture(scope="module")
def cards() -> Path:
    return shared_data("taiwan_card_train")


@pytest.fixture(scope="module")
def card_policy() -> Policy:
    return Policy.load(ROOT / "docs" / "examples" / "card-policy.yaml")


@pytest.fixture(scope="module")
def card_lake(cards, card_policy, databases, tmp_path_factory):
    """Settings of a lake and a warehouse in which October 2005 is rated, and what the run said."""
    with databases(tmp_path_factory.mktemp("cards")) as settings:
        load_folder(cards, settings)
        yield settings, rate_month(OCTOBER, settings, card_policy)


@pytest.fixture(scope="module")
def rated_cards(card_lake):
    """The outcome of October 2005 and the model it was graded by."""
    settings, outcome = card_lake
    return outcome, model_registry.champion(settings, "residential", OCTOBER)


@pytest.fixture(scope="module")
def september(cards, card_policy, card_lake, tmp_path_factory):
    """(the indices that differ between customers, as known at the end of September; who defaulted in October)."""
    settings, _ = card_lake
    with open_engine(settings) as engine:
        folder = tmp_path_factory.mktemp("september")
        known = KnownRecords(Lake(settings.lake_path), card_policy, SEPTEMBER, customers_of=OCTOBER)
        measured = write_indices(engine, known, folder)
        engine.bind_files("cohort", [str(file) for file in measured.files])
        columns = model_columns(card_policy.indices)
        query = queries.compose(f"select i.customer_id, {columns} from cohort as i order by i.customer_id")
        frame = engine.fetch(query).to_pandas().set_index("customer_id")
    defaults = pd.read_parquet(cards / "collection_events.parquet")["customer_id"]
    frame = frame.astype(float)
    return frame.loc[:, frame.nunique() > 1], frame.index.isin(defaults).astype(int)


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


def test_customers_of_every_grade_default_as_often_as_the_model_says(rated_cards):
    """A straight calibration would miss B: p 0.0002."""
    _, model = rated_cards
    assert min(grade["p_adjusted"] for grade in model.metrics["by_grade"].values()) > 0.001


def test_transforms_beat_the_plain_discriminant_over_the_same_indices(september):
    indices, default = september
    assert indices.shape[1] >= 9
    plain, transformed = np.zeros(24_000), np.zeros(24_000)
    for seen, unseen in StratifiedKFold(10, shuffle=True, random_state=1).split(indices, default):
        rows, medians = indices.iloc[seen], indices.iloc[seen].median()
        discriminant = FisherLDA().fit(rows.fillna(medians), default[seen])
        plain[unseen] = discriminant.decision_function(indices.iloc[unseen].fillna(medians))
        transformed[unseen] = CreditModel().fit(rows, default[seen]).log_odds(indices.iloc[unseen])
    assert auc(default, transformed).value > auc(default, plain).value + 0.005
    assert auc(default, transformed).low > 0.75
