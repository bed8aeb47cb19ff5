"""The rules after the model: what each does, which prevails, and what none of them can ever do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.customers.index_values import rule_facts
from pipeline.grading.rules import apply
from pipeline.policy import Policy
from pipeline.policy.grades import GradeRules

POLICY = Policy.load()
NAMES = POLICY.grades.names
FACTS = rule_facts()
AAA, AA, A, B, C, D = (0.001, 0.006, 0.012, 0.03, 0.1, 0.2)  # a probability well inside each grade
NOTHING = {
    "rating_basis": "model",
    "is_in_default": False,
    "is_default_by_register": False,
    **dict.fromkeys(FACTS, False),
    **dict.fromkeys(("previous_grade", "override_grade", "veto_grade")),
}


def ruled(*customers, rules=POLICY.grade_rules):
    frame = pd.DataFrame([NOTHING | customer for customer in customers])
    return apply(frame, rules, POLICY.grades)


def one(rules=POLICY.grade_rules, **customer):
    """grade, rating_basis and grade_rule of one customer."""
    return tuple(ruled(customer, rules=rules).loc[0, ["grade", "rating_basis", "grade_rule"]])


WORKED = {
    "nothing applies": (dict(default_probability=A), ("A", "model", None)),
    "new": (dict(default_probability=AAA, is_new=True), ("B", "new", "new_customer")),
    "new and bad: the ceiling raises nobody": (dict(default_probability=D, is_new=True), ("D", "model", None)),
    "new, and a thief": (dict(default_probability=A, is_new=True, has_theft=True), ("D", "veto", "theft")),
    "new, after a default": (
        dict(default_probability=AAA, is_new=True, previous_grade="D"),
        ("C", "new", "notch_limit"),
    ),
    "new, and within the buffer": (
        dict(default_probability=0.049, is_new=True, previous_grade="C"),
        ("C", "model", "promotion_buffer"),
    ),
    "one notch up a month": (dict(default_probability=AAA, previous_grade="B"), ("A", "model", "notch_limit")),
    "one notch up and no more to go": (dict(default_probability=AA, previous_grade="A"), ("AA", "model", None)),
    "down as far as it goes": (dict(default_probability=D, previous_grade="AAA"), ("D", "model", None)),
    "below the bound, within the buffer": (
        dict(default_probability=0.0095, previous_grade="A"),
        ("A", "model", "promotion_buffer"),
    ),
    "below the bound and the buffer": (dict(default_probability=0.0089, previous_grade="A"), ("AA", "model", None)),
    "the buffer keeps nobody from staying": (
        dict(default_probability=0.0095, previous_grade="AA"),
        ("AA", "model", None),
    ),
    "the buffer does not push down": (dict(default_probability=0.0095, previous_grade="AAA"), ("AA", "model", None)),
    "a grade that is no more": (dict(default_probability=AAA, previous_grade="Z"), ("AAA", "model", None)),
    "owes": (dict(default_probability=AAA, has_unpaid_balance=True), ("AA", "veto", "unpaid_balance")),
    "owes, and it makes no difference": (dict(default_probability=AA, has_unpaid_balance=True), ("AA", "model", None)),
    "on probation": (dict(default_probability=A, is_on_probation=True), ("C", "veto", "probation")),
    "theft": (dict(default_probability=AAA, has_theft=True), ("D", "veto", "theft")),
    "a violation bars promotion": (
        dict(default_probability=AA, previous_grade="A", has_violation=True),
        ("A", "veto", "violation"),
    ),
    "a violation bars nothing but promotion": (dict(default_probability=AA, has_violation=True), ("AA", "model", None)),
    "a broken plan": (
        dict(default_probability=B, previous_grade="C", has_broken_plan=True),
        ("C", "veto", "broken_plan"),
    ),
    "long arrears, and a violation": (
        dict(default_probability=C, previous_grade="D", has_long_arrears=True, has_violation=True),
        ("D", "veto", "violation"),
    ),
    "in default": (dict(default_probability=AAA, is_in_default=True, is_new=True), ("D", "default", "default")),
    "in default by the register alone": (
        dict(default_probability=AAA, is_in_default=True, is_default_by_register=True),
        ("D", "default", "default_by_register"),
    ),
    "a person knows better": (
        dict(default_probability=D, is_in_default=True, has_theft=True, override_grade="AA"),
        ("AA", "override", "override"),
    ),
    "a person knows worse": (dict(default_probability=AAA, override_grade="C"), ("C", "override", "override")),
    "a person bars": (dict(default_probability=AAA, veto_grade="B"), ("B", "veto", "manual_veto")),
    "a person bars what is barred": (dict(default_probability=C, veto_grade="B"), ("C", "model", None)),
    "one person bars what another set": (
        dict(default_probability=D, override_grade="AAA", veto_grade="A"),
        ("A", "veto", "manual_veto"),
    ),
    "a thin file": (
        dict(default_probability=AAA, previous_grade="B", rating_basis="thin_file"),
        ("A", "thin_file", "notch_limit"),
    ),
}


@pytest.mark.parametrize("case", WORKED)
def test_what_a_rule_does_and_which_prevails(case):
    customer, expected = WORKED[case]
    assert one(**customer) == expected


def test_a_rule_that_is_taken_away_does_nothing():
    none = GradeRules(vetoes={}, long_arrears_days=90)
    facts = dict.fromkeys(FACTS, True)
    assert one(none, default_probability=AAA, previous_grade="D", **facts) == ("AAA", "model", None)
    assert one(none, default_probability=AAA, is_in_default=True) == ("D", "default", "default")


def test_the_model_grade_is_that_of_the_probability_whatever_the_rules_say():
    found = ruled(*(dict(default_probability=p, is_in_default=True) for p in (AAA, AA, A, B, C, D, 0.005, 0.15)))
    assert list(found["model_grade"]) == [*NAMES, "AA", "D"]
    assert set(found["grade"]) == {"D"}


grade_or_none = st.none() | st.sampled_from(NAMES)
customers = st.lists(
    st.fixed_dictionaries(
        {
            "default_probability": st.floats(0, 1),
            "is_in_default": st.booleans(),
            "is_default_by_register": st.booleans(),
            "previous_grade": grade_or_none,
            "override_grade": st.none() | grade_or_none,
            "veto_grade": st.none() | grade_or_none,
            **dict.fromkeys(FACTS, st.booleans()),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=50)
@given(customers)
def test_what_holds_of_every_customer(drawn):
    found = ruled(*drawn)
    rank = {name: place for place, name in enumerate(NAMES)}
    for customer, row in zip(drawn, found.itertuples(), strict=True):
        grade, previous = rank[row.grade], rank.get(customer["previous_grade"])
        by_hand = customer["override_grade"] is not None
        if not by_hand:
            assert grade >= rank[row.model_grade]
        if not by_hand and previous is not None:
            assert grade >= previous - 1
            if any(customer[f"has_{veto}"] for veto in ("theft", "violation", "broken_plan", "long_arrears")):
                assert grade >= previous
        if customer["has_unpaid_balance"] and not by_hand:
            assert row.grade != "AAA"
        if (customer["is_in_default"] or customer["has_theft"]) and not by_hand:
            assert row.grade == "D"
        if customer["veto_grade"] is not None:
            assert grade >= rank[customer["veto_grade"]]
        elif by_hand:
            assert (row.grade, row.rating_basis) == (customer["override_grade"], "override")
        assert row.grade == row.model_grade or row.grade_rule is not None
        assert (row.rating_basis == "model") <= (row.grade_rule in (None, "notch_limit", "promotion_buffer"))


@settings(deadline=None, max_examples=10)
@given(customers, st.randoms(use_true_random=False))
def test_a_customer_is_ruled_alone(drawn, random):
    order = list(range(len(drawn)))
    random.shuffle(order)
    rows = list(ruled(*drawn).itertuples(index=False))
    assert [rows[at] for at in order] == list(ruled(*(drawn[at] for at in order)).itertuples(index=False))
    assert rows == [row for customer in drawn for row in ruled(customer).itertuples(index=False)]


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 0.5))
def test_with_a_constant_probability_the_grade_settles_and_stays(probabilities, buffer):
    """Month after month the grade rises a notch at most, never falls again, and then no longer moves."""
    rules = POLICY.grade_rules.model_copy(
        update={"promotion": POLICY.grade_rules.promotion.model_copy(update={"buffer": buffer})}
    )
    previous, path = ["D"] * len(probabilities), []
    for _ in range(2 * len(NAMES)):
        found = ruled(
            *(dict(default_probability=p, previous_grade=was) for p, was in zip(probabilities, previous, strict=True)),
            rules=rules,
        )
        previous = list(found["grade"])
        path.append([NAMES.index(grade) for grade in previous])
    steps = -np.diff(np.array([[len(NAMES) - 1] * len(probabilities), *path]), axis=0)
    assert ((steps == 0) | (steps == 1)).all()
    assert (steps[len(NAMES) :] == 0).all()
