"""Gates: each passes and fails where its number in the policy says."""

import json

import numpy as np
import pytest

from pipeline.models import gates
from pipeline.scorecard import GradeScale, evaluate
from tests.support.records.labelled import changed


@pytest.fixture(scope="module")
def verdict(policy):
    """Of calibrated probabilities."""
    return judged(policy)


def judged(policy, *, seed=1, noise=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-3, 1.5, size=4000)
    y = (rng.logistic(size=4000) < log_odds).astype(int)
    stated = 1 / (1 + np.exp(-(log_odds + noise * rng.normal(size=4000))))
    return evaluate(y, np.minimum(1, stated * scale), GradeScale(policy.grades.names, policy.grades.cutoffs))


def held(policy, verdict, **options):
    usual = {"champion": None, "score_psi": 0.05, "contradicted": {}, "adverse": {}}
    return {gate["gate"]: gate for gate in gates.held_against(policy, verdict, **usual | options)}


def with_gates(policy, **limits):
    return changed(policy, "promotion", gates=policy.promotion.gates.model_dump() | limits)


def test_a_good_model_passes_all_and_says_so_in_json(policy, verdict):
    found = held(policy, verdict)
    assert list(found) == ["auc", "ks", "brier", "calibration", "stability", "signs", "adverse_impact"]
    assert gates.failed(found.values()) == []
    assert json.loads(json.dumps(found)) == found
    assert {name for name, gate in found.items() if gate["is_hard"]} == {"auc", "ks", "brier"}
    assert found["adverse_impact"]["detail"] == "not screened: policy fairness names no groups"


@pytest.mark.parametrize(
    ("gate", "key"),
    [
        ("auc", "min_auc"),
        ("ks", "min_ks"),
        ("brier", "max_brier_ratio"),
        ("stability", "max_score_psi"),
        ("signs", "max_contradicted_points"),
    ],
)
def test_each_limit_is_the_policys(policy, verdict, gate, key):
    options = {"score_psi": 0.05, "contradicted": {"arrears_ratio": 2.0, "moon": -1.0}}
    value = held(policy, verdict, **options)[gate]["value"]
    for limit, passed in ((value, True), (value - 1e-9, key.startswith("min")), (value + 1e-9, key.startswith("max"))):
        found = held(with_gates(policy, **{key: limit}), verdict, **options)[gate]
        assert found["passed"] is passed
        assert found["limit"] == limit
    assert held(policy, verdict, **options)["signs"]["detail"] == "arrears_ratio, moon"


def test_defaults_far_from_expected_fail_unless_chance_explains_them(policy, verdict):
    low = judged(policy, scale=0.5)
    found = held(policy, low)["calibration"]
    assert not found["passed"]
    assert found["value"] > 0.25
    assert found["detail"]
    assert held(with_gates(policy, max_calibration_error=found["value"]), low)["calibration"]["passed"]
    assert held(with_gates(policy, min_calibration_p=0.0), low)["calibration"]["passed"]
    # A champion that is off as far is no reason to keep it.
    assert held(policy, low, champion=low)["calibration"]["passed"]


def test_a_challenger_is_held_against_the_champion_on_the_same_rows(policy, verdict):
    worse = judged(policy, noise=2.0)
    found = held(policy, worse, champion=verdict)
    assert {name for name, gate in found.items() if not gate["passed"]} >= {"auc_loss", "ks_loss", "brier_gain"}
    assert found["auc_loss"]["value"] == pytest.approx(verdict["auc"]["value"] - worse["auc"]["value"])
    better = held(policy, verdict, champion=worse)
    assert gates.failed(better.values()) == []
    assert better["auc_loss"]["value"] < 0
    lenient = with_gates(policy, max_auc_loss=1, max_ks_loss=1, max_brier_gain=10)
    assert all(
        held(lenient, worse, champion=verdict)[f"{of}"]["passed"] for of in ("auc_loss", "ks_loss", "brier_gain")
    )


def test_a_group_that_is_surely_graded_worse_fails_the_screen(policy, verdict):
    rows = [
        {"group": "north", "ratio": 1.0, "ratio_high": 1.0, "is_adverse": False},
        {"group": "south", "ratio": 0.5, "ratio_high": 0.7, "is_adverse": True},
        {"group": "east", "ratio": 0.7, "ratio_high": 1.2, "is_adverse": True},  # may be chance
    ]
    found = held(policy, verdict, adverse={"region": rows})["adverse_impact"]
    assert (found["passed"], found["value"], found["detail"]) == (False, 0.5, "region south")
    assert held(policy, verdict, adverse={"region": [rows[0], rows[2]]})["adverse_impact"]["passed"]


def test_nobody_to_judge_by_is_a_failed_gate(policy):
    [gate] = held(policy, {"customers": 12, "defaults": 0}).values()
    assert not gate["passed"]
    assert gate["is_hard"]
    assert gates.describe([gate]) == "auc unknown, limit 0.6 (12 test customers with 0 defaults tell nothing)"
