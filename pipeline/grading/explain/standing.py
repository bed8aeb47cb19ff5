"""The grade a customer has, and the rules that will still hold at the next month's rating.

What is promised for the next grade has to pass ``pipeline.grading.rules`` as that rating will apply them: from the
grade published now, with every rule whose memory has not run out by then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.customers.index_values import rule_facts
from pipeline.grading import rules
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.warehouse.overrides import OVERRIDE, VETO, Override

_FACTS = {"new_customer": "is_new", "probation": "is_on_probation"}
_DEFAULT = ("default", "default_by_register")
# They go by the grade and the probability alone.
_OF_THE_SCORE = ("promotion_buffer", "notch_limit")


@dataclass(frozen=True)
class Rule:
    """A rule that holds. ``until``: the first rating month in which it no longer does, as far as is known; None where
    that depends on something else. ``grade``: of what a person decided."""

    name: str
    until: RatingMonth | None = None
    grade: str | None = None


@dataclass(frozen=True)
class Standing:
    """A customer's grade, and the rules that hold at the next month's rating."""

    grade: str
    rules: tuple[Rule, ...]
    policy: Policy

    @property
    def next_grade(self) -> str | None:
        """The grade above; None where there is none, or where the scale no longer has this one."""
        names = self.policy.grades.names
        place = names.index(self.grade) if self.grade in names else 0
        return names[place - 1] if place else None

    @property
    def bound(self) -> float:
        """The default probability that has to be undercut for the grade above, the promotion's buffer included."""
        place = self.policy.grades.names.index(self.grade)
        promotion = self.policy.grade_rules.promotion
        return self.policy.grades.cutoffs[place - 1] * (1 - promotion.buffer if promotion else 1)

    def withholding(self) -> tuple[Rule, ...]:
        """The rules that bar the grade above whatever the score."""
        if any(rule.name == "override" for rule in self.rules):
            held = [rule for rule in self.rules if rule.name in ("override", "manual_veto")]
        else:
            held = list(self.rules)
        return tuple(rule for rule in held if not self._allows([rule]))

    def gives(self, probability: float) -> str:
        """The grade that the next month's rating gives at this probability."""
        return self._graded(probability, self.rules)

    def _allows(self, held: Iterable[Rule]) -> bool:
        names = self.policy.grades.names
        return names.index(self._graded(0.0, held)) < names.index(self.grade)

    def _graded(self, probability: float, held: Iterable[Rule]) -> str:
        row = {"default_probability": probability, "rating_basis": "model", "previous_grade": self.grade}
        row |= dict.fromkeys(("is_in_default", "is_default_by_register", *rule_facts()), False)
        row |= dict.fromkeys(("override_grade", "veto_grade"))
        for rule in held:
            if rule.name in ("override", "manual_veto"):
                row["override_grade" if rule.name == "override" else "veto_grade"] = rule.grade
            else:
                row["is_in_default" if rule.name in _DEFAULT else _fact(rule.name)] = True
        return str(rules.apply(pd.DataFrame([row]), self.policy.grade_rules, self.policy.grades).loc[0, "grade"])


def standing(
    grade: Mapping[str, str | None], month: RatingMonth, decided: Mapping[str, Override], policy: Policy
) -> Standing:
    """``grade``: a row of rating.credit_grades. ``decided``: by kind, what people decided for the month after."""
    upcoming = month + 1
    held = [rule for rule in _in_force(grade, policy) if rule.until is None or rule.until > upcoming]
    for kind, name in ((OVERRIDE, "override"), (VETO, "manual_veto")):
        if (one := decided.get(kind)) is not None and one.grade in policy.grades.names:
            until = RatingMonth.of(one.valid_until) + 1 if one.valid_until else None
            held.append(Rule(name, until, one.grade))
    return Standing(str(grade["grade"]), tuple(held), policy)


def _in_force(grade: Mapping[str, str | None], policy: Policy) -> list[Rule]:
    if grade["rules_in_force"] is not None:
        noted = [part.partition("=")[::2] for part in grade["rules_in_force"].split(";")]
        found = [Rule(name, _until(name, day, policy)) for name, day in noted if _rule_of(policy, name) is not None]
    else:  # nothing holds; or published before it was recorded, and then the rule that decided is all that is known
        decisive = grade["grade_rule"]
        found = [Rule(decisive)] if decisive is not None and _rule_of(policy, decisive) is not None else []
    if grade["rating_basis"] == "default":
        found.append(Rule("default_by_register" if grade["grade_rule"] == "default_by_register" else "default"))
    return found


def _until(name: str, day: str, policy: Policy) -> RatingMonth | None:
    """The first rating month that no longer remembers the day; see sql/lake/grading/rule_facts.sql."""
    months = getattr(_rule_of(policy, name), "months", None)
    if not day or months is None:
        return None
    last = date.fromisoformat(day)
    if name == "new_customer":
        return RatingMonth.of(last) + months - (1 if last.day == 1 else 0)
    return RatingMonth.of(last) + months


def _rule_of(policy: Policy, name: str):
    """The policy's rule of that name, None where it has none."""
    if name in _OF_THE_SCORE:
        return None
    return getattr(policy.grade_rules, name, None) or getattr(policy.grade_rules.vetoes, name, None)


def _fact(name: str) -> str:
    return _FACTS.get(name, f"has_{name}")
