import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.scorecard import (
    CreditModel,
    ModelFitError,
    adverse_impact,
    contradicted_signs,
    refuse_leaks,
    selection_counts,
    single_index_auc,
)


def test_an_honest_index_has_the_auc_of_its_values(customers):
    frame, default = customers
    found = single_index_auc(frame, default)
    assert found["on_time_rate"] == pytest.approx(roc_auc_score(default, -frame["on_time_rate"]), abs=1e-12)
    assert found.between(0.5, 0.9).all()
    refuse_leaks(frame, default, limit=0.95)


NOISE = np.random.default_rng(1).normal(size=3000)


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: y + 0.1 * NOISE,
        lambda y: -3.0 * y,
        lambda y: np.where(y == 1, NOISE, np.nan),  # filled in for defaults only
        lambda y: np.where(y == 1, np.nan, NOISE),
        lambda y: np.where(NOISE < -0.4, np.nan, y * 10 + NOISE),  # a third missing
    ],
)
def test_a_planted_leak_is_caught_by_name(customers, leak):
    frame, default = customers
    planted = frame.assign(written_off=leak(default))
    with pytest.raises(ModelFitError, match=r"all by itself, AUC 0.95 or more: written_off \((0.9|1.0)\d+\);"):
        refuse_leaks(planted, default, limit=0.95)


def test_a_few_values_are_no_leak_because_they_happen_to_be_in_order():
    y = np.arange(2000) % 10 == 0
    rare = pd.Series(np.nan, index=range(2000))
    rare[:30] = y[:30] + 0.1 * NOISE[:30]  # three defaults among thirty
    assert single_index_auc(pd.DataFrame({"rare": rare}), y)["rare"] < 0.55


@pytest.mark.parametrize("binned", [(), ("on_time_rate", "arrears_ratio")])
def test_a_weight_against_its_direction_is_reported(customers, binned):
    frame, default = customers
    model = CreditModel().fit(frame, default, binned=binned)
    right = {"on_time_rate": "+", "arrears_ratio": "-"}
    assert contradicted_signs(model, right | {"unknown": "+"}) == {}
    wrong = contradicted_signs(model, {"on_time_rate": "-", "arrears_ratio": "+"})
    assert set(wrong) == {"on_time_rate", "arrears_ratio"}
    table = model.coefficients().loc[list(wrong)]
    assert wrong == table["points"].to_dict()
    assert table["direction"].to_dict() == right


def test_adverse_impact_by_hand():
    counts = pd.DataFrame({"customers": [80, 40, 1], "selected": [48, 12, 1]}, index=["one", "other", "tiny"])
    table = adverse_impact(counts)
    assert table.loc["other", "ratio"] == pytest.approx(0.5)
    assert table["is_reference"].to_dict() == {"one": True, "other": False, "tiny": False}
    assert table["is_judged"].to_dict() == {"one": True, "other": True, "tiny": False}
    assert table["is_adverse"].to_dict() == {"one": False, "other": True, "tiny": False}
    reach = 1.959964 * np.sqrt(1 / 12 - 1 / 40 + 1 / 48 - 1 / 80)
    assert table.loc["other", ["ratio_low", "ratio_high"]].tolist() == pytest.approx(
        [0.5 * np.exp(-reach), 0.5 * np.exp(reach)], rel=1e-5
    )
    z2 = 1.959964**2
    centre, half = (0.3 + z2 / 80) / (1 + z2 / 40), 1.959964 * np.sqrt(0.3 * 0.7 / 40 + z2 / 6400) / (1 + z2 / 40)
    wilson = [centre - half, centre + half]
    assert table.loc["other", ["rate_low", "rate_high"]].tolist() == pytest.approx(wilson, rel=1e-5)


def test_the_four_fifths_rule_has_its_bound():
    counts = pd.DataFrame({"customers": [100, 100, 100], "selected": [50, 40, 39]}, index=["a", "b", "c"])
    assert adverse_impact(counts)["is_adverse"].tolist() == [False, False, True]
    assert not adverse_impact(counts, threshold=0.7)["is_adverse"].any()


@pytest.mark.parametrize(
    "counts", [{"a": (50, 10)}, {"a": (50, 0), "b": (50, 0)}, {"a": (0, 0), "b": (50, 10)}, {}], ids=str
)
def test_without_two_groups_to_compare_nobody_is_judged(counts):
    table = adverse_impact(pd.DataFrame.from_dict(counts, orient="index", columns=["customers", "selected"]))
    assert len(table) == len(counts)
    assert not table["is_adverse"].any()


def test_groups_are_counted_and_a_customer_of_none_is_unknown():
    counts = selection_counts(["a", None, "b", "a", np.nan], [True, True, False, False, False])
    assert counts.to_dict("index") == {
        "a": {"customers": 2, "selected": 1},
        "b": {"customers": 1, "selected": 0},
        "unknown": {"customers": 2, "selected": 1},
    }


def test_refuses_counts_that_are_none():
    with pytest.raises(ModelFitError, match="more selected than customers"):
        adverse_impact(pd.DataFrame({"customers": [1], "selected": [2]}))
