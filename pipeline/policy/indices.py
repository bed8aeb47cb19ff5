"""The credit indices and the numbers inside their queries."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.policy.base import Count, NotNegative, Positive, Section, Share

Line = Annotated[str, Field(pattern=r"^\S.*$")]

UNSCORED_GROUPS = ("service",)  # a complaint, a survey or an outage must not lower anybody's credit


class Texts(Section):
    en: Line
    zh: Line


class Name(Section):
    name: Line
    unit: Line


class Index(Section):
    """The definition of an index beside its query; defaults/indices.yaml says what each key means."""

    code: Annotated[str, Field(pattern=r"^[A-Z]+[0-9]+$")]
    group: Line
    meaning: Line
    unit: Line
    zh: Name | None = None
    window_months: Annotated[int, Field(ge=0, le=48)]  # queries keep a window's months as the bits of one number
    direction: Literal["+", "-", "none"]
    missing: Literal["median", "fallback"] | float
    missing_when: Line | None = None
    needs: tuple[str, ...] = ()
    families: Annotated[tuple[str, ...], Field(min_length=1)] | None = None  # None: all
    enters_score: bool = True
    bands: tuple[float, float, float]
    attainable: float | None = None
    reason: Texts | None = None

    @model_validator(mode="after")
    def _bands_follow_direction(self) -> Self:
        if list(self.bands) != sorted(self.bands, reverse=self.direction == "+"):
            raise ValueError("bands must go from good to bad along the direction")
        return self

    @model_validator(mode="after")
    def _can_enter_the_score(self) -> Self:
        if self.enters_score and self.group in UNSCORED_GROUPS:
            raise ValueError(f"an index of group {self.group} never enters the score: set enters_score to false")
        if self.enters_score and self.direction == "none":
            raise ValueError("an index of no direction cannot enter the score: set enters_score to false")
        if self.enters_score and self.reason is None:
            raise ValueError("an index that enters the score needs a reason, in en and zh")
        return self

    def is_for(self, family: str) -> bool:
        return self.families is None or family in self.families

    @property
    def letters(self) -> str:
        """Of the code: P of P1."""
        return self.code.rstrip("0123456789")


class Severity(Section):
    """What an event of that kind counts among delinquencies; nothing where it is left out."""

    overdue_notice: NotNegative = 0
    returned_payment: NotNegative = 0
    plan_broken: NotNegative = 0
    disconnection: NotNegative = 0
    write_off: NotNegative = 0


class PowerFactorStandard(Section):
    """The power factor a segment's customers are held to; none where it is left out."""

    residential: Share | None = None
    commercial: Share | None = None
    industrial: Share | None = None
    agricultural: Share | None = None
    public: Share | None = None


class ViolationWeight(Section):
    """What a violation of that type counts; nothing where it is left out."""

    theft: NotNegative = 0
    contract_breach: NotNegative = 0
    safety_hazard: NotNegative = 0


class SocialRatingValue(Section):
    AAA: Share
    AA: Share
    A: Share
    BBB: Share
    BB: Share
    B: Share
    CCC: Share
    CC: Share
    C: Share
    D: Share

    @model_validator(mode="after")
    def _fall_from_best_to_worst(self) -> Self:
        values = list(self.model_dump().values())
        if values != sorted(values, reverse=True):
            raise ValueError("a worse rating must not be worth more than a better one")
        return self


class OutagePrior(Section):
    reports: NotNegative
    outages: Positive


class IndexParameters(Section):
    min_bills_due: Count
    min_months_of_reads: Count
    delinquency_half_life_months: Positive
    delinquency_severity: Severity
    statement_validity_months: Count
    max_asset_liability_ratio: Positive
    max_current_ratio: Positive
    min_return_on_net_assets: float
    power_factor_min_capacity_kva: NotNegative
    power_factor_standard: PowerFactorStandard
    violation_half_life_months: Positive
    violation_weight: ViolationWeight
    social_rating_max_age_months: Count
    social_rating_value: SocialRatingValue
    min_survey_pairs: Annotated[int, Field(ge=1)]
    survey_shrinkage_pairs: NotNegative
    outage_report_hours: Positive
    outage_prior: OutagePrior
