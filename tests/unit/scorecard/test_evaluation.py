import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.scorecard import (
    GradeScale,
    ModelFitError,
    Scorecard,
    auc,
    brier,
    calibration_by_grade,
    calibration_metrics,
)
from pipeline.scorecard import evaluate as verdict_of

SCALE = GradeScale()


def drawn(seed, rows=20_000, shift=0.0):
    """Default probabilities, and defaults that come of them ``shift`` log-odds likelier."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-3, 1.2, rows)
    return 1 / (1 + np.exp(-log_odds)), (rng.logistic(size=rows) < log_odds + shift).astype(int)


@pytest.fixture(scope="module")
def verdict():
    probability, y = drawn(1)
    return verdict_of(y, probability, SCALE)


def test_binomial_test_by_hand():
    counts = pd.DataFrame({"customers": [10], "defaults": [3], "expected": [1.0]}, index=["C"])
    found = calibration_by_grade(counts).loc["C"]
    at_least_three = 1 - 0.9**10 - 10 * 0.1 * 0.9**9 - 45 * 0.01 * 0.9**8
    assert found["p_value"] == pytest.approx(at_least_three, rel=1e-9)
    # Clopper and Pearson's interval: at its ends, three or more (or fewer) have a chance of 2.5%.
    low, high = found["low"], found["high"]
    assert 1 - sum(c * low**k * (1 - low) ** (10 - k) for k, c in ((0, 1), (1, 10), (2, 45))) == pytest.approx(0.025)
    fewer = ((0, 1), (1, 10), (2, 45), (3, 120))
    assert sum(c * high**k * (1 - high) ** (10 - k) for k, c in fewer) == pytest.approx(0.025)


def test_holm_by_hand_over_the_grades_with_customers():
    grades = [(100, 9, 4.0), (0, 0, 0.0), (1000, 10, 20.0), (50, 5, 5.0)]
    table = calibration_by_grade(pd.DataFrame(grades, columns=["customers", "defaults", "expected"]))
    p = table["p_value"].tolist()
    ordered = sorted([p[0], p[2], p[3]])
    adjusted = [
        min(1, 3 * ordered[0]),
        min(1, max(3 * ordered[0], 2 * ordered[1])),
        min(1, max(2 * ordered[1], ordered[2])),
    ]
    assert sorted(table["p_adjusted"].dropna()) == pytest.approx(adjusted)
    assert table.loc[1, ["p_value", "p_adjusted", "default_rate"]].isna().all()


def test_true_probabilities_are_seldom_rejected_and_wrong_ones_are():
    rng = np.random.default_rng(6)
    grades = pd.DataFrame({"customers": [4000, 3000, 2000, 1000], "probability": [0.003, 0.01, 0.05, 0.2]})

    def rejected(by):
        found = []
        for _ in range(60):
            defaults = rng.binomial(grades["customers"], by * grades["probability"])
            counts = grades.assign(defaults=defaults, expected=grades["customers"] * grades["probability"])
            found.append(calibration_by_grade(counts)["p_adjusted"].min() < 0.05)
        return np.mean(found)

    assert rejected(by=1) <= 0.08
    assert rejected(by=1.4) > 0.95


def test_intercept_and_slope_are_those_of_a_logistic_regression():
    probability, y = drawn(2, shift=0.4)
    log_odds = np.log(probability / (1 - probability))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds[:, None], y)
    found = calibration_metrics(y, probability)
    assert found["slope"] == pytest.approx(theirs.coef_[0, 0], rel=1e-4)
    assert found["intercept"] == pytest.approx(theirs.intercept_[0], rel=1e-4)
    assert found["expected_rate"] < found["observed_rate"]


def test_true_probabilities_have_intercept_0_slope_1_and_hardly_an_error():
    found = calibration_metrics(*drawn(3)[::-1])
    assert found["intercept"] == pytest.approx(0, abs=0.12)
    assert found["slope"] == pytest.approx(1, abs=0.05)
    assert found["ece"] < 0.006


def test_brier_is_the_sum_of_its_parts_where_bins_are_the_probabilities():
    probability = np.repeat([0.1, 0.2, 0.4], 300)
    y = (np.random.default_rng(4).random(900) < probability + 0.05).astype(int)
    found = calibration_metrics(y, probability)
    total = found["reliability"] - found["resolution"] + found["uncertainty"]
    assert total == pytest.approx(brier(y, probability), abs=1e-12)


def test_the_verdict_is_json_with_the_figures_of_the_metrics(verdict):
    probability, y = drawn(1)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert verdict["auc"] == auc(y, probability)._asdict()
    assert list(verdict["by_grade"]) == list(SCALE.names)
    assert sum(row["customers"] for row in verdict["by_grade"].values()) == verdict["customers"] == 20_000
    assert sum(row["expected"] for row in verdict["by_grade"].values()) == pytest.approx(probability.sum())


def test_curves_say_what_the_figures_say_in_few_points(verdict):
    curves = verdict["curves"]
    false, true = np.transpose(curves["roc"])
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(verdict["auc"]["value"], abs=0.002)
    assert max(abs(bads - goods) for _, goods, bads in curves["ks"]) == pytest.approx(verdict["ks"], abs=0.01)
    assert sum(curves["score"]["defaults"]) == verdict["defaults"]
    assert sum(curves["score"]["goods"]) == verdict["customers"] - verdict["defaults"]
    assert sum(group["customers"] for group in curves["calibration"]) == verdict["customers"]
    assert max(map(len, (curves["roc"], curves["ks"]))) <= 200


def test_the_score_is_the_usual_scorecards_unless_given():
    probability, y = drawn(5, 500)
    log_odds = np.log(probability / (1 - probability))
    usual = verdict_of(y, probability, SCALE, Scorecard().score(log_odds))
    assert verdict_of(y, probability, SCALE)["ks"] == usual["ks"]
    other = verdict_of(y, probability, SCALE, Scorecard(points=500).score(log_odds))
    assert other["curves"]["score"]["edges"][0] == pytest.approx(usual["curves"]["score"]["edges"][0] - 100)


def test_certain_and_equal_probabilities_are_judged_too():
    json.dumps(verdict_of([0, 1, 1, 0], [0.0, 1.0, 0.0, 1.0], SCALE), allow_nan=False)
    same = verdict_of([0, 1, 1, 0], [0.2] * 4, SCALE)
    assert same["auc"]["value"] == 0.5
    assert same["calibration"]["slope"] is None


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_with_one_class_only_there_are_counts_and_no_verdict(y):
    assert verdict_of(y, [0.1, 0.2, 0.3], SCALE) == {"customers": 3, "defaults": sum(y)}


@pytest.mark.parametrize("probability", [[0.5, 1.5], [0.5, -0.1], [0.5, np.nan]])
def test_refuses_what_is_no_probability(probability):
    with pytest.raises(ModelFitError, match="default probability"):
        verdict_of([0, 1], probability, SCALE)
