"""What the next grade needs: the next month's rating of the changed customer gives it, and a little less does not."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.grading.explain.counterfactual import next_grade
from pipeline.grading.explain.standing import Standing, standing
from pipeline.grading.grade import grade
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, model_from_dict
from pipeline.warehouse import model_registry, publications
from tests.support.records.explained_customers import LEARNT, letter, measured
from tests.support.records.indices import BASIS, MODELS, OCTOBER, expert, write_indices

TRIED = 25


@pytest.fixture(scope="module")
def regrade(explained, policy, tmp_path_factory):
    """The grades that the grading step gives these customers in the month after the published one, by these models."""
    settings = explained.model_copy(update={"lake": tmp_path_factory.mktemp("changed")})
    november = OCTOBER + 1

    def run(people, models):
        rows = [measured(n, policy, values) for n, values in people]
        write_indices(settings, pa.Table.from_pylist(rows), november)
        grade(november, settings, policy, **BASIS, models=models)
        [file] = Lake(settings.lake_path).files("grades", rating_month=november, **BASIS)
        return pq.read_table(file)["grade"].to_pylist()

    return run


@pytest.fixture(scope="module")
def published(explained):
    """Grade of each customer in the published month, by its number."""
    with publications.published_grades(explained, OCTOBER) as found:
        rows = found.read_all().to_pylist()
    return {int(row["customer_id"][1:]): row["grade"] for row in rows}


def frame_of(values, policy):
    row = {name: [np.nan if value is None else value] for name, value in values.items()}
    for name, value in values.items():
        index = policy.indices[name]
        row[f"{name}_band"] = [letter(index.missing if value is None and index.missing != "median" else value, index)]
    return pd.DataFrame(row)


@pytest.fixture(scope="module", params=[LEARNT, MODELS], ids=["model", "expert"])
def answered(request, explained, policy, people, published):
    """(models, the customers tried by number, what each needs)."""
    model = model_from_dict(model_registry.model(explained, request.param["residential"]).parameters)
    tried = dict(enumerate(people[:TRIED]))
    found = {
        n: next_grade(model, Standing(published[n], (), policy), frame_of(values, policy), policy.indices)
        for n, values in tried.items()
    }
    return request.param, tried, found


def applied(values, moves):
    return values | {move.index: move.needed for move in moves}


def test_the_next_rating_of_the_changed_customer_gives_the_promised_grade(answered, regrade, policy, published):
    """With the promotion's buffer and its one notch a month."""
    models, tried, found = answered
    names = policy.grades.names
    changed = [(n, applied(values, found[n].moves if found[n] else ())) for n, values in tried.items()]
    reached = 0
    for n, after in zip(tried, regrade(changed, models), strict=True):
        answer = found[n]
        if answer is None:
            assert published[n] == names[0]
        else:
            assert answer.grade == names[names.index(published[n]) - 1]
            assert (after == answer.grade) == answer.is_reached
            reached += answer.is_reached
    assert reached > TRIED / 2


def test_a_hundredth_less_is_not_enough(answered, regrade, policy, published):
    models, tried, found = answered
    less = []
    for n, values in tried.items():
        answer = found[n]
        if answer and answer.is_reached and answer.moves:
            last = answer.moves[-1]
            step = 0.01 if last.needed > last.value else -0.01
            less.append((n, applied(values, answer.moves[:-1]) | {last.index: last.needed - step}))
    assert less
    names = policy.grades.names
    for (n, _), after in zip(less, regrade(less, models), strict=True):
        assert names.index(after) >= names.index(published[n])


def test_only_what_is_attainable_and_known_moves_and_towards_the_better(answered, policy):
    _, tried, found = answered
    moves = [(values, move) for n, values in tried.items() if found[n] for move in found[n].moves]
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


def asked(policy, customer, grade, model=None):
    return next_grade(model or expert(policy), Standing(grade, (), policy), customer, policy.indices)


def test_by_hand(policy):
    """Band D of P1 costs 1.5 in log-odds: -4.5. AA wants 0.9%, -4.70: that is C, on time for 0.75."""
    answer = asked(policy, customer(policy, on_time_payment_rate=0.5), "A")
    [move] = answer.moves
    assert (answer.grade, move.index, move.value, move.needed) == ("AA", "on_time_payment_rate", 0.5, 0.75)
    factor = 20 / np.log(2)
    assert move.points == pytest.approx(0.5 * factor)
    assert answer.points_needed == pytest.approx((np.log(0.991 / 0.009) - 4.5) * factor)


def test_of_two_that_are_enough_the_nearer_one(policy):
    """P1 at 0.74 and P5 at 0.1 both end a band lower; the first has less of its way to go."""
    answer = asked(policy, customer(policy, on_time_payment_rate=0.74, arrears_recovery_rate=0.1), "B")
    [move] = answer.moves
    assert (move.index, move.needed) == ("on_time_payment_rate", 0.75)


def test_several_where_one_is_not_enough_and_the_last_only_as_far_as_needed(policy):
    """All of P1 to P6 in band D: -6 + 7.5. C is below -1.86: P1 and P3 (1.5 each) leave -1.5, a band of P2 the rest."""
    worst = {name: 0.0 if index.direction == "+" else 1000.0
             for name, index in policy.indices.items() if index.group == "payment"}  # fmt: skip
    answer = asked(policy, customer(policy, **worst), "D")
    assert (answer.grade, answer.is_reached) == ("C", True)
    assert [policy.indices[move.index].code for move in answer.moves] == ["P1", "P3", "P2"]
    assert [move.needed for move in answer.moves] == [1, 0, policy.indices["amount_weighted_days_late"].bands[-1]]


def test_what_the_customer_cannot_change_is_reported_as_not_enough(policy):
    answer = asked(policy, customer(policy, decayed_delinquency=10.0, consumption_trend=-0.9), "A")
    assert (answer.moves, answer.is_reached, answer.is_enough) == ((), False, False)
    assert answer.points_needed > 0


def test_a_score_that_is_enough_needs_no_move(policy):
    answer = asked(policy, customer(policy), "B")
    assert (answer.grade, answer.moves, answer.points_needed, answer.is_reached) == ("A", (), 0, True)


def test_the_best_grade_needs_nothing(policy):
    assert asked(policy, customer(policy), "AAA") is None


def test_nothing_is_asked_for_that_the_model_punishes(policy):
    """A model that takes late payment for a good sign is not followed."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"on_time_payment_rate": rng.random(400), "arrears_ratio": rng.exponential(1, 400)})
    default = (2 * frame["on_time_payment_rate"] + frame["arrears_ratio"] + rng.logistic(size=400) > 2).astype(int)
    answer = asked(policy, pd.DataFrame({"on_time_payment_rate": [0.5], "arrears_ratio": [2.0]}), "AA",
                   CreditModel().fit(frame, default))  # fmt: skip
    assert {move.index for move in answer.moves} == {"arrears_ratio"}


POLICY = Policy.load()
MAY = RatingMonth(2026, 5)


def stands(grade, rules=None, month=MAY, **row):
    row = {"grade": grade, "grade_rule": None, "rating_basis": "model", "rules_in_force": rules} | row
    return standing(row, month, {}, POLICY)


def withheld(*asked, **more):
    return [(rule.name, rule.until and str(rule.until)) for rule in stands(*asked, **more).withholding()]


def test_a_rule_that_bars_the_next_grade_is_named_with_the_month_it_ends(policy):
    """Theft is remembered for 24 months, another violation for 12; new is who is connected for less than 6."""
    assert withheld("D", "theft=2025-08-14") == [("theft", "2027-08")]
    assert withheld("B", "theft=2024-06-01;violation=2026-01-20") == [("violation", "2027-01")]
    assert withheld("B", "new_customer=2026-02-10") == [("new_customer", "2026-08")]
    assert withheld("B", "new_customer=2026-02-01") == [("new_customer", "2026-07")]
    assert withheld("C", "probation=2026-03-02") == [("probation", "2026-09")]
    assert withheld("C", "probation") == [("probation", None)]
    assert withheld("AA", "unpaid_balance") == [("unpaid_balance", None)]
    assert withheld("A", "unpaid_balance") == []
    assert withheld("D", rating_basis="default", grade_rule="default_by_register") == [("default_by_register", None)]
    assert withheld("B", grade_rule="broken_plan") == [("broken_plan", None)]  # from before all rules were recorded


def test_a_rule_that_ends_with_the_next_rating_bars_nothing():
    assert withheld("B", "violation=2025-06-20", month=MAY) == []
    assert withheld("B", "violation=2025-06-20", month=MAY - 1) == [("violation", "2026-06")]


NOTED = st.sampled_from(["new_customer", "probation", "theft", "violation", "broken_plan", "long_arrears"])
DAYS = st.dates(date(2024, 1, 1), date(2026, 5, 31))


@trials(deadline=None, max_examples=60)
@given(
    st.sampled_from(POLICY.grades.names[1:]),
    st.dictionaries(NOTED, DAYS, max_size=3),
    st.booleans(),
    st.sampled_from(["model", "default"]),
)
def test_what_is_promised_passes_the_rules_and_what_is_not_is_withheld(grade, noted, owes, basis):
    rules = ";".join([f"{name}={day}" for name, day in noted.items()] + ["unpaid_balance"] * owes)
    asked = stands(grade, rules or None, rating_basis=basis, grade_rule="default" if basis == "default" else None)
    names = POLICY.grades.names
    given_grade = asked.gives(asked.bound * 0.999)
    assert (given_grade == asked.next_grade) == (not asked.withholding())
    assert names.index(asked.gives(asked.bound)) >= names.index(grade)
