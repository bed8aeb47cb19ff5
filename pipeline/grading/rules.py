"""What may change the grade that the default probability gives: the policy's rules, and what a person decided.

The rules are looked at in the order below, and of two that disagree the later prevails; a ceiling only lowers. Up to
the default, no rule lets a grade rise faster than ``promotion`` allows. Only an ``override`` can give a better grade
than the probability.

| grade_rule | rating_basis | does |
|---|---|---|
| new_customer | new | ceiling of the policy: connected for too short a time |
| promotion_buffer | as it was | ceiling: the better grade's bound, less the buffer, is not reached |
| notch_limit | as it was | ceiling: so many grades above what was published last |
| unpaid_balance, probation | veto | ceiling of the policy |
| theft, violation, broken_plan, long_arrears | veto | ceiling of the policy, and what was published last |
| default, default_by_register | default | sets the worst grade (by_register: there are no bills to prove it) |
| override | override | sets the grade a person chose |
| manual_veto | veto | ceiling that a person chose |

``grade_rule`` is the last rule that changed the grade, or set it; None where the probability alone decided.
"""

import numpy as np
import pandas as pd

from pipeline.policy.grades import GradeRules, Grades

_NONE = -1
"""The rank of no grade, and of one that is not on the scale (any more)."""


def apply(frame: pd.DataFrame, rules: GradeRules, grades: Grades) -> pd.DataFrame:
    """model_grade, grade, rating_basis and grade_rule of each row, by its own values alone.

    ``frame``: default_probability (the model's), rating_basis (what gave it), is_in_default, is_default_by_register,
    the booleans of sql/lake/grading/rule_facts.sql, and previous_grade, override_grade, veto_grade (None where there is
    none).
    """
    probability = frame["default_probability"].to_numpy(dtype=np.float64)
    previous = _ranks(frame["previous_grade"], grades)
    has_previous = previous != _NONE
    by_model = np.searchsorted(grades.cutoffs, probability, side="right")
    ruling = _Ruling(by_model, frame["rating_basis"].to_numpy(dtype=object))

    def holds(fact: str) -> np.ndarray:
        return frame[fact].to_numpy(dtype=bool)

    if new := rules.new_customer:
        ruling.cap(holds("is_new"), grades.names.index(new.ceiling), "new", "new_customer")
    if promotion := rules.promotion:
        cutoffs = np.array(grades.cutoffs) * (1 - promotion.buffer)
        within_buffer = np.minimum(np.searchsorted(cutoffs, probability, side="right"), previous)
        ruling.cap(has_previous, within_buffer, None, "promotion_buffer")
        ruling.cap(has_previous, previous - promotion.max_notches, None, "notch_limit")
    if unpaid := rules.unpaid_balance:
        ruling.cap(holds("has_unpaid_balance"), grades.names.index(unpaid.ceiling), "veto", "unpaid_balance")
    if probation := rules.probation:
        ruling.cap(holds("is_on_probation"), grades.names.index(probation.ceiling), "veto", "probation")
    for name, veto in rules.vetoes:
        if veto:
            ceiling = grades.names.index(veto.ceiling) if veto.ceiling else 0
            ruling.cap(holds(f"has_{name}"), np.maximum(previous, ceiling), "veto", name)
    worst = len(grades.names) - 1
    ruling.set(holds("is_in_default"), worst, "default", "default")
    ruling.set(holds("is_in_default") & holds("is_default_by_register"), worst, "default", "default_by_register")
    override, veto = (_ranks(frame[name], grades) for name in ("override_grade", "veto_grade"))
    ruling.set(override != _NONE, override, "override", "override")
    ruling.cap(veto != _NONE, veto, "veto", "manual_veto")

    names = np.array(grades.names, dtype=object)
    return pd.DataFrame(
        {
            "model_grade": names[by_model],
            "grade": names[ruling.rank],
            "rating_basis": ruling.basis,
            "grade_rule": ruling.rule,
        },
        index=frame.index,
        dtype=object,  # or a column of None and texts would come back with NaN
    )


class _Ruling:
    """Per customer: the rank of the grade (0 is the best), what it rests on, and the last rule that had a say."""

    def __init__(self, rank: np.ndarray, basis: np.ndarray):
        self.rank, self.basis = rank, basis
        self.rule = np.full(len(rank), None, dtype=object)

    def set(self, where: np.ndarray, rank: np.ndarray | int, basis: str, rule: str) -> None:
        self._note(where, rank, basis, rule)

    def cap(self, where: np.ndarray, ceiling: np.ndarray | int, basis: str | None, rule: str) -> None:
        """Where the grade is better than the ceiling, the ceiling; ``basis`` None leaves what it rests on."""
        self._note(where & (self.rank < ceiling), ceiling, basis, rule)

    def _note(self, where: np.ndarray, rank: np.ndarray | int, basis: str | None, rule: str) -> None:
        self.rank = np.where(where, rank, self.rank)
        self.rule = np.where(where, rule, self.rule)
        if basis is not None:
            self.basis = np.where(where, basis, self.basis)


def _ranks(names: pd.Series, grades: Grades) -> np.ndarray:
    rank = {name: place for place, name in enumerate(grades.names)}
    return names.map(rank).fillna(_NONE).to_numpy(dtype=np.int64)
