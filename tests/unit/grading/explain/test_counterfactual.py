"""What the next grade needs: grading the changed customer gives it, and a little less does not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.grading.explain.counterfactual import next_grade
from pipeline.grading.grade import grade
from pipeline.lake import Lake
from pipeline.scorecard import CreditModel, GradeScale, model_from_dict
from pipeline.warehouse import model_registry
from tests.support.records.explained_customers import LEARNT, letter, measured
from tests.support.records.indices import BASIS, MODELS, OCTOBER, expert, write_indices

TRIED = 25


@pytest.fixture(scope="module")
def regrade(explained, policy, tmp_path_factory):
    """The grades that the grading step gives these customers, by a model of their own family."""
    settings = explained.model_copy(update={"lake": tmp_path_factory.mktemp("changed")})

    def run(people, models):
        write_indices(settings, pa.Table.from_pylist([measured(n, policy, v) for n, v in enumerate(people)]))
        grade(OCTOBER, settings, policy, **BASIS, models=models)
        [file] = Lake(settings.lake_path).files("grades", rating_month=OCTOBER, **BASIS)
        return pq.read_table(file)["grade"].to_pylist()

    return run


def frame_of(values, policy):
    row = {name: [np.nan if value is None else value] for name, value in values.items()}
    for name, value in values.items():
        index = policy.indices[name]
        row[f"{name}_band"] = [letter(index.missing if value is None and index.missing != "median" else value, index)]
    return pd.DataFrame(row)


@pytest.fixture(scope="module", params=[LEARNT, MODELS], ids=["model", "expert"])
def answered(request, explained, policy, people):
    """(models, the customers tried, what each needs)."""
    model = model_from_dict(model_registry.model(explained, request.param["residential"]).parameters)
    scale = GradeScale(policy.grades.names, policy.grades.cutoffs)
    tried = people[:TRIED]
    found = [next_grade(model, scale, frame_of(values, policy), policy.indices) for values in tried]
    return request.param, tried, found


def applied(values, moves):
    return values | {move.index: move.needed for move in moves}


def test_the_changed_customer_really_has_the_next_grade(answered, regrade, policy):
    models, tried, found = answered
    names = policy.grades.names
    changed = [applied(values, answer.moves if answer else ()) for values, answer in zip(tried, found, strict=True)]
    reached = 0
    for before, after, answer in zip(regrade(tried, models), regrade(changed, models), found, strict=True):
        if answer is None:
            assert before == after == names[0]
        else:
            assert answer.grade == names[names.index(before) - 1]
            assert (names.index(after) < names.index(before)) == answer.is_reached
            reached += answer.is_reached
            if answer.is_reached:
                assert after == answer.grade or len(answer.moves) == 1
    assert reached > TRIED / 2


def test_a_hundredth_less_is_not_enough(answered, regrade, policy):
    models, tried, found = answered
    less = []
    for values, answer in zip(tried, found, strict=True):
        if answer and answer.is_reached:
            last = answer.moves[-1]
            step = 0.01 if last.needed > last.value else -0.01
            less.append((values, applied(values, answer.moves[:-1]) | {last.index: last.needed - step}))
    assert less
    stays = regrade([values for values, _ in less], models)
    assert regrade([changed for _, changed in less], models) == stays


def test_only_what_is_attainable_and_known_moves_and_towards_the_better(answered, policy):
    _, tried, found = answered
    moves = [(values, move) for values, answer in zip(tried, found, strict=True) if answer for move in answer.moves]
    assert len({move.index for _, move in moves}) > 2
    for values, move in moves:
        index = policy.indices[move.index]
        sign = 1 if index.direction == "+" else -1
        assert move.value == values[move.index]
        assert sign * move.value < sign * move.needed <= sign * index.attainable
        assert move.points > 0


def customer(policy, **values):
    """In band A throughout, but for these."""
    good = {name: max(index.bands) if index.direction == "+" else min(index.bands) for name, index in
            policy.indices.items()}  # fmt: skip
    return frame_of(good | values, policy)


def asked(policy, customer, indices=None, model=None):
    scale = GradeScale(policy.grades.names, policy.grades.cutoffs)
    return next_grade(model or expert(policy), scale, customer, indices or policy.indices)


def test_by_hand(policy):
    """Band D of P1 costs 1.5 in log-odds: -3.5 is 2.9%, grade B; A wants -3.89, which is C, on time for 0.75."""
    answer = asked(policy, customer(policy, on_time_payment_rate=0.5))
    [move] = answer.moves
    assert (answer.grade, move.index, move.value, move.needed) == ("A", "on_time_payment_rate", 0.5, 0.75)
    factor = 20 / np.log(2)
    assert move.points == pytest.approx(0.5 * factor)
    assert answer.points_needed == pytest.approx((np.log(0.98 / 0.02) - 3.5) * factor)


def test_of_two_that_are_enough_the_nearer_one(policy):
    """P1 at 0.74 and P5 at 0.1 both end a band lower; the first has less of its way to go."""
    answer = asked(policy, customer(policy, on_time_payment_rate=0.74, arrears_recovery_rate=0.1))
    [move] = answer.moves
    assert (move.index, move.needed) == ("on_time_payment_rate", 0.75)


def test_several_where_one_is_not_enough_and_the_last_only_as_far_as_needed(policy):
    """All of P1 to P6 in band D: -5 + 7.5. C is below -1.73: P1, P3 (1.5 each) and P2 (1.2) leave -1.7, P4 the rest."""
    worst = {name: 0.0 if index.direction == "+" else 1000.0
             for name, index in policy.indices.items() if index.group == "payment"}  # fmt: skip
    answer = asked(policy, customer(policy, **worst))
    assert (answer.grade, answer.is_reached) == ("C", True)
    assert [policy.indices[move.index].code for move in answer.moves] == ["P1", "P3", "P2", "P4"]
    assert [move.needed for move in answer.moves] == [1, 0, 0, policy.indices["arrears_ratio"].bands[-1]]


def test_what_is_out_of_the_customers_hands_is_said_not_to_be_enough(policy):
    answer = asked(policy, customer(policy, decayed_delinquency=10.0, consumption_trend=-0.9))
    assert (answer.moves, answer.is_reached) == ((), False)
    assert answer.points_needed > 0


def test_the_best_grade_needs_nothing(policy):
    model = expert(policy)
    best = type(model)(-9.0, model.weights, model.missing_level)
    assert asked(policy, customer(policy), model=best) is None


def test_nobody_is_told_to_do_what_the_model_punishes(policy):
    """A model that takes late payment for a good sign is not followed."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"on_time_payment_rate": rng.random(400), "arrears_ratio": rng.exponential(1, 400)})
    default = (2 * frame["on_time_payment_rate"] + frame["arrears_ratio"] + rng.logistic(size=400) > 2).astype(int)
    answer = asked(policy, pd.DataFrame({"on_time_payment_rate": [0.5], "arrears_ratio": [2.0]}), policy.indices,
                   CreditModel().fit(frame, default))  # fmt: skip
    assert {move.index for move in answer.moves} == {"arrears_ratio"}
