import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scorecard import ExpertScorecard, ModelFitError, Scorecard, model_from_dict

cards = st.builds(Scorecard, points=st.floats(0, 1000), odds=st.floats(0.1, 1000), pdo=st.floats(1, 200))


def test_600_points_are_good_bad_odds_of_50_to_1():
    assert Scorecard().score(math.log(1 / 50)) == pytest.approx(600, abs=1e-12)
    assert Scorecard().score(math.log(1 / 100)) == pytest.approx(620, abs=1e-12)


@given(card=cards, log_odds=st.floats(-30, 30))
def test_score_and_odds_are_inverse(card, log_odds):
    assert card.log_odds(card.score(log_odds)) == pytest.approx(log_odds, abs=1e-8)


@given(card=cards, score=st.floats(0, 1000))
def test_pdo_points_more_double_the_odds(card, score):
    odds, more = np.exp(-card.log_odds(np.array([score, score + card.pdo])))
    assert more == pytest.approx(2 * odds, rel=1e-9)


@pytest.mark.parametrize("bad", [{"pdo": 0}, {"odds": -1}, {"points": math.nan}, {"pdo": math.inf}])
def test_refuses_a_card_without_meaning(bad):
    with pytest.raises(ModelFitError):
        Scorecard(**bad)


EXPERT = ExpertScorecard(-5.0, {"payment": 0.8, "violations": 1.2}, missing_level=1.5)
BANDS = pd.DataFrame({"payment": ["A", "B", "D", None], "violations": ["A", "C", "D", "A"]}, index=[9, 7, 5, 3])


def test_expert_log_odds_by_hand():
    np.testing.assert_allclose(EXPERT.log_odds(BANDS), [-5, -5 + 0.8 + 2.4, -5 + 2.4 + 3.6, -5 + 1.2])
    assert EXPERT.score(BANDS)[0] == EXPERT.base_score_


@pytest.mark.parametrize("dtype", ["object", "category", "str"])
def test_expert_reads_bands_of_any_dtype(dtype):
    np.testing.assert_array_equal(EXPERT.log_odds(BANDS.astype(dtype)), EXPERT.log_odds(BANDS))


def test_expert_column_without_any_band_counts_as_missing():
    assert EXPERT.log_odds(BANDS.assign(payment=None))[0] == pytest.approx(-5 + 0.8 * 1.5)


@given(st.lists(st.tuples(*[st.sampled_from([*"ABCD", None])] * 2), min_size=1, max_size=20))
def test_expert_contributions_add_up_to_the_score(rows):
    bands = pd.DataFrame(rows, columns=["payment", "violations"])
    total = EXPERT.base_score_ + EXPERT.contributions(bands).sum(axis=1)
    np.testing.assert_allclose(total, EXPERT.score(bands), atol=1e-9, rtol=0)


def test_expert_travels_as_json():
    again = model_from_dict(json.loads(json.dumps(EXPERT.to_dict(), allow_nan=False)))
    assert again == EXPERT
    assert (again.score(BANDS) == EXPERT.score(BANDS)).all()


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        (BANDS[["payment"]], "lacks the band column violations"),
        (BANDS.assign(violations="E"), "column violations holds 'E'"),
    ],
)
def test_expert_refuses_by_name(bands, message):
    with pytest.raises(ModelFitError, match=message):
        EXPERT.log_odds(bands)


@pytest.mark.parametrize(
    "bad",
    [
        {"weights": {}},
        {"weights": {"payment": -0.1}},
        {"weights": {"payment": math.nan}},
        {"intercept": math.inf},
        {"missing_level": 4},
    ],
)
def test_expert_refuses_weights_without_meaning(bad):
    with pytest.raises(ModelFitError, match="expert"):
        ExpertScorecard(**({"intercept": -5.0, "weights": {"payment": 1.0}} | bad))
