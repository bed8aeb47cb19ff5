"""The grade scale, the rules that change a grade, and the sensitivity analysis."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.policy.base import NotNegative, Section

Shock = Annotated[float, Field(gt=-1, lt=1)]
RiskFactor = Literal["production", "management", "technical", "market"]
Letters = tuple[str, ...]


class Grades(Section):
    names: tuple[str, ...]
    cutoffs: tuple[Annotated[float, Field(gt=0, lt=1)], ...]

    @model_validator(mode="after")
    def _one_bound_between_grades(self) -> Self:
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise ValueError("names must be two or more different grades, best first")
        if len(self.cutoffs) != len(self.names) - 1 or list(self.cutoffs) != sorted(set(self.cutoffs)):
            raise ValueError("cutoffs must rise and be one fewer than the names")
        return self


class Sensitivity(Section):
    shock: Shock
    curve: tuple[Shock, ...]
    factors: dict[RiskFactor, Letters]

    @field_validator("factors")
    @classmethod
    def _letters_stand_in_one_factor(
        cls, factors: dict[RiskFactor, tuple[str, ...]]
    ) -> dict[RiskFactor, tuple[str, ...]]:
        letters = [letter for stands in factors.values() for letter in stands]
        if twice := sorted({letter for letter in letters if letters.count(letter) > 1}):
            raise ValueError(f"{', '.join(twice)} stands in two factors")
        return factors

    @field_validator("shock")
    @classmethod
    def _changes_something(cls, shock: float) -> float:
        if shock == 0:
            raise ValueError("a shock of 0 changes nothing")
        return shock

    @property
    def shocks(self) -> tuple[float, ...]:
        """Every shock that is analysed, rising."""
        return tuple(sorted({self.shock, *self.curve}))


class GradePromotion(Section):
    """How fast a grade may get better than the one published last."""

    max_notches: Annotated[int, Field(ge=1)]
    buffer: Annotated[float, Field(ge=0, lt=1)]


class NewCustomer(Section):
    """Connected for fewer months: no grade better than the ceiling."""

    months: Annotated[int, Field(ge=1)]
    ceiling: str


class UnpaidBalance(Section):
    above: NotNegative
    ceiling: str


class Probation(Section):
    months: Annotated[int, Field(ge=1)]
    ceiling: str


class Veto(Section):
    """No promotion for so many months, and no grade better than the ceiling where there is one."""

    months: Annotated[int, Field(ge=1)]
    ceiling: str | None = None


class Vetoes(Section):
    """In the order in which they are looked at: of two that bar the same, the first is named."""

    theft: Veto | None = None
    violation: Veto | None = None
    broken_plan: Veto | None = None
    long_arrears: Veto | None = None


class GradeRules(Section):
    """What may change the grade that follows from the probability; a rule that is None does nothing."""

    new_customer: NewCustomer | None = None
    promotion: GradePromotion | None = None
    unpaid_balance: UnpaidBalance | None = None
    probation: Probation | None = None
    vetoes: Vetoes
    long_arrears_days: Annotated[int, Field(ge=1)]

    def named_grades(self) -> dict[str, str]:
        """Every grade that a rule names, by the key that names it."""
        named = {
            "new_customer.ceiling": self.new_customer and self.new_customer.ceiling,
            "unpaid_balance.ceiling": self.unpaid_balance and self.unpaid_balance.ceiling,
            "probation.ceiling": self.probation and self.probation.ceiling,
            **{f"vetoes.{name}.ceiling": veto and veto.ceiling for name, veto in self.vetoes},
        }
        return {key: grade for key, grade in named.items() if grade is not None}
