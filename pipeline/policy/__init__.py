"""What the credit office decides: policy.yaml, with a utility's own file on top, validated and hashed."""

import hashlib
import json
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import ConfigError, MonthError
from pipeline.month import RatingMonth

DEFAULT = Path(__file__).with_name("defaults.yaml")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Language = Literal["en", "zh"]
MailAddress = Annotated[str, Field(pattern=r"^[^\s@,;<>]+@[^\s@,;<>]+$")]
Line = Annotated[str, Field(pattern=r"^\S.*$")]

UNSCORED_GROUPS = ("service",)  # a complaint, a survey or an outage must not lower anybody's credit


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Extract(_Section):
    history_months: Annotated[int, Field(ge=1)]


class Validation(_Section):
    max_amount: Positive
    max_energy: Positive
    reference_grace_months: Count
    quarantine_limit: Share
    quarantine_limits: dict[str, Share]
    allow_month_without_bills: bool

    def limit(self, table: str) -> float:
        """Share of a table's rows that may fail before the run stops."""
        return self.quarantine_limits.get(table, self.quarantine_limit)


class Texts(_Section):
    en: Line
    zh: Line


class Index(_Section):
    """The definition of an index beside its query; policy.yaml says what each key means."""

    code: Annotated[str, Field(pattern=r"^[A-Z]+[0-9]+$")]
    group: Line
    meaning: Line
    unit: Line
    window_months: Count
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
    def _bands_follow_direction(self):
        if list(self.bands) != sorted(self.bands, reverse=self.direction == "+"):
            raise ValueError("bands must go from good to bad along the direction")
        return self

    @model_validator(mode="after")
    def _can_enter_the_score(self):
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


class Severity(_Section):
    """What an event of that kind counts among delinquencies; nothing where it is left out."""

    overdue_notice: NotNegative = 0
    returned_payment: NotNegative = 0
    plan_broken: NotNegative = 0
    disconnection: NotNegative = 0
    write_off: NotNegative = 0


class PowerFactorStandard(_Section):
    """The power factor a segment's customers are held to; none where it is left out."""

    residential: Share | None = None
    commercial: Share | None = None
    industrial: Share | None = None
    agricultural: Share | None = None
    public: Share | None = None


class ViolationWeight(_Section):
    """What a violation of that type counts; nothing where it is left out."""

    theft: NotNegative = 0
    contract_breach: NotNegative = 0
    safety_hazard: NotNegative = 0


class SocialRatingValue(_Section):
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
    def _fall_from_best_to_worst(self):
        values = list(self.model_dump().values())
        if values != sorted(values, reverse=True):
            raise ValueError("a worse rating must not be worth more than a better one")
        return self


class OutagePrior(_Section):
    reports: NotNegative
    outages: Positive


class IndexParameters(_Section):
    bill_history_months: Annotated[int, Field(ge=15, le=60)]
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


class Label(_Section):
    horizon_months: Annotated[int, Field(ge=1)]
    embargo_months: Count
    min_bills: Count
    days_past_due: dict[str, Annotated[int, Field(gt=0)]]
    good_max_days_past_due: Count
    materiality_floor: NotNegative
    materiality_share: Share
    default_memory_months: Count


class Training(_Section):
    cohorts: Annotated[int, Field(ge=1)]
    out_of_time_cohorts: Count
    holdout_share: Annotated[float, Field(gt=0, lt=1)]
    calibration_share: Annotated[float, Field(gt=0, lt=1)]
    min_defaults: Annotated[int, Field(ge=5)]
    max_looked_up: Annotated[int, Field(ge=1000)]
    max_rows: Annotated[int, Field(ge=1000)]
    sampled_default_share: Annotated[float, Field(gt=0, le=0.5)]
    seed: int
    binned: tuple[str, ...]
    sentinels: dict[str, tuple[float, ...]]
    shrinkage: Literal["auto", "ledoit_wolf", "none"] | Share
    contradicting_indices: Literal["leave_out", "keep"]
    max_index_auc: Annotated[float, Field(gt=0.5, le=1)]

    @model_validator(mode="after")
    def _leaves_customers_to_fit(self):
        if self.holdout_share + self.calibration_share >= 1:
            raise ValueError("holdout_share and calibration_share leave no customers to fit on")
        return self


class Retraining(_Section):
    """When mode auto trains; ``every_months`` 0 means never by the calendar."""

    every_months: Count
    in_months: tuple[Annotated[int, Field(ge=1, le=12)], ...]
    expert_every_months: Count
    on_drift: bool
    drift_rest_months: Count


class Gates(_Section):
    """What a challenger has to pass; the comparisons with a champion hold where there is one."""

    min_auc: Share
    min_ks: Share
    max_brier_ratio: Positive
    max_calibration_error: NotNegative
    min_calibration_p: Share
    max_score_psi: NotNegative
    max_contradicted_points: NotNegative
    max_auc_loss: NotNegative
    max_ks_loss: NotNegative
    max_brier_gain: NotNegative


class Promotion(_Section):
    mode: Literal["automatic", "manual"]
    approval_step: bool
    approval_days: Annotated[int, Field(ge=1)]
    shadow_months: Count
    gates: Gates


class Fairness(_Section):
    columns: tuple[str, ...]
    groups_file: Path | None
    favourable_grades: Annotated[int, Field(ge=1)]
    min_ratio: Share
    min_share: Share


class Monitoring(_Section):
    min_customers: Count
    warn_psi: NotNegative
    max_psi: NotNegative
    max_customers: Annotated[int, Field(ge=1000)]
    min_defaults: Count
    max_auc_loss: NotNegative
    max_calibration_error: NotNegative
    min_calibration_p: Share


class ScorecardTerms(_Section):
    points: float
    odds: Positive
    points_to_double_odds: Positive


class Grades(_Section):
    names: tuple[str, ...]
    cutoffs: tuple[Annotated[float, Field(gt=0, lt=1)], ...]

    @model_validator(mode="after")
    def _one_bound_between_grades(self):
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise ValueError("names must be two or more different grades, best first")
        if len(self.cutoffs) != len(self.names) - 1 or list(self.cutoffs) != sorted(set(self.cutoffs)):
            raise ValueError("cutoffs must rise and be one fewer than the names")
        return self


class Expert(_Section):
    intercept: float
    missing_band: Annotated[float, Field(ge=0, le=3)]
    weights: Annotated[dict[str, NotNegative], Field(min_length=1)]


Shock = Annotated[float, Field(gt=-1, lt=1)]
RiskFactor = Literal["production", "management", "technical", "market"]


class Sensitivity(_Section):
    shock: Shock
    curve: tuple[Shock, ...]
    factors: dict[RiskFactor, tuple[str, ...]]

    @field_validator("factors")
    @classmethod
    def _letters_stand_in_one_factor(cls, factors):
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


class GradePromotion(_Section):
    """How fast a grade may get better than the one published for the month before."""

    max_notches: Annotated[int, Field(ge=1)]
    buffer: Annotated[float, Field(ge=0, lt=1)]


class NewCustomer(_Section):
    months: Annotated[int, Field(ge=1)]
    grade: str


class UnpaidBalance(_Section):
    above: NotNegative
    ceiling: str


class Probation(_Section):
    months: Annotated[int, Field(ge=1)]
    ceiling: str


class Veto(_Section):
    """No promotion for so many months, and no grade better than the ceiling where there is one."""

    months: Annotated[int, Field(ge=1)]
    ceiling: str | None = None


class Vetoes(_Section):
    """In the order in which they are looked at: of two that bar the same, the first is named."""

    theft: Veto | None = None
    violation: Veto | None = None
    broken_plan: Veto | None = None
    long_arrears: Veto | None = None


class GradeRules(_Section):
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
            "new_customer.grade": self.new_customer and self.new_customer.grade,
            "unpaid_balance.ceiling": self.unpaid_balance and self.unpaid_balance.ceiling,
            "probation.ceiling": self.probation and self.probation.ceiling,
            **{f"vetoes.{name}.ceiling": veto and veto.ceiling for name, veto in self.vetoes},
        }
        return {key: grade for key, grade in named.items() if grade is not None}


class Publish(_Section):
    max_grade_share_change: Share
    max_moved_share: Share
    min_rows_for_share_check: Count
    lock_timeout_seconds: Annotated[int, Field(ge=1)]


class Retention(_Section):
    repeatable_months: Annotated[int, Field(ge=1)]
    derived_months: Annotated[int, Field(ge=1)]
    replaced_revisions: Count
    data_docs_months: Annotated[int, Field(ge=1)]
    min_age_days: Count


Level = float | dict[str, float]
Archetypes = Annotated[dict[Annotated[str, Field(min_length=1)], Level], Field(min_length=1)]


class Groups(_Section):
    """Names of customer groups, by aspect, and where each is expected to lie; see policy.yaml."""

    value: Archetypes
    demand: Archetypes
    behaviour: Archetypes
    sample_rows: Annotated[int, Field(ge=1000)]
    seed: Count


class LifeCycle(_Section):
    new_months: Count
    growth: Annotated[float, Field(ge=0)]
    decline: Annotated[float, Field(le=0)]


class Campaign(_Section):
    """A rebate on repaid arrears; ``last_month`` None means one campaign a month from ``first_month`` on.

    ``budget``: what its rebates may add up to, None: any sum.
    """

    name: Annotated[str, Field(min_length=1)]
    first_month: str
    last_month: str | None = None
    share: Share
    rate: Share
    cap: NotNegative
    budget: NotNegative | None = None

    @field_validator("first_month", "last_month")
    @classmethod
    def _is_month(cls, text: str | None) -> str | None:
        try:
            return text and str(RatingMonth.parse(text))
        except MonthError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _ends_after_it_began(self):
        if self.last_month is not None and self.last_month < self.first_month:
            raise ValueError("last_month is before first_month")
        return self


class Rebate(_Section):
    campaigns: tuple[Campaign, ...]

    @field_validator("campaigns")
    @classmethod
    def _names_differ(cls, campaigns):
        if len({campaign.name for campaign in campaigns}) != len(campaigns):
            raise ValueError("two campaigns have the same name")
        return campaigns


class ActionChannel(_Section):
    """How a channel is used, and when it is given up."""

    timeout_seconds: Positive
    attempts: Annotated[int, Field(ge=1)]
    backoff_seconds: Positive
    max_backoff_seconds: Positive
    per_minute: Annotated[int, Field(ge=1)]
    rest_after_failures: Annotated[int, Field(ge=1)]


class ActionChannels(_Section):
    webhook: ActionChannel
    email: ActionChannel


class ActionType(_Section):
    """What becomes of the actions of a type: ``to`` names who gets its mail, "customer" or addresses of staff."""

    channels: Annotated[tuple[Literal["queue", "webhook", "email"], ...], Field(min_length=1)] = ("queue",)
    approval: Literal["required", "automatic"] = "required"
    priority: Annotated[int, Field(ge=1, le=9)] = 5
    due_hours: Positive | None = None
    expires_hours: Positive | None = None
    to: Literal["customer"] | Annotated[tuple[MailAddress, ...], Field(min_length=1)] | None = None
    template: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    language: Language | None = None

    @model_validator(mode="after")
    def _channels_can_follow_each_other(self):
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("channels names one twice")
        if "queue" in self.channels[:-1]:
            raise ValueError("channels: the queue takes everything, so it can only be the last")
        if "email" in self.channels and self.to is None:
            raise ValueError("mail needs `to`: customer, or a list of addresses")
        return self


class Actions(_Section):
    language: Language
    sender: dict[Language, Annotated[str, Field(min_length=1)]]
    channels: ActionChannels
    types: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ActionType]

    @model_validator(mode="after")
    def _a_person_decides_on_power(self):
        if self.sender.keys() != set(get_args(Language)):
            raise ValueError("sender must name the languages: " + ", ".join(get_args(Language)))
        disconnection = self.types.get("disconnection_proposal")
        if disconnection and disconnection.approval != "required":
            raise ValueError("types.disconnection_proposal: a person has to approve it: approval required")
        return self

    def template(self, action_type: str) -> str:
        """The name of its template; the type's own where the policy names none."""
        return (self.types[action_type].template if action_type in self.types else None) or action_type

    def language_of(self, action_type: str) -> str:
        return (self.types[action_type].language if action_type in self.types else None) or self.language


Months = Annotated[int, Field(ge=1)]
GradeNames = Annotated[tuple[str, ...], Field(min_length=1)]


class ByTariff(_Section):
    """A number for households, and one for everybody else."""

    residential: NotNegative
    others: NotNegative

    def of(self, segment: str) -> float:
        return self.residential if segment == "residential" else self.others


class AccountManager(_Section):
    value_group: str
    managers: Annotated[dict[Annotated[str, Field(min_length=1)], Count], Field(min_length=1)]


class OnsiteService(_Section):
    every_months: Months


class GridSupportReview(_Section):
    every_months: Months
    min_capacity_kva: NotNegative


class RelationshipTask(_Section):
    grades: GradeNames
    value_groups: tuple[str, ...]
    every_months: Months


class CustomerRetention(_Section):
    grades: GradeNames
    every_months: Months


class EmergencySupply(_Section):
    share: Share
    every_months: Months


class RepairPriority(_Section):
    look_back_hours: Positive
    priority_hours: Positive
    emergency_hours: Positive


class OutageNotices(_Section):
    schedule: str
    hours_ahead: Positive
    recipients: Literal["all", "sensitive"]
    sensitive_from: Share
    look_ahead_days: Months
    look_back_days: Months


class ResponsibilityNotice(_Section):
    grades: GradeNames
    every_months: Months


class Visit(_Section):
    grades: GradeNames
    overdue_days: Count


class Inspection(_Section):
    grades: GradeNames
    violations: Count
    every_months: Months


class Collection(_Section):
    grades: GradeNames
    overdue_days: Count


class HabitualDefaultFollowup(_Section):
    delinquencies: Annotated[int, Field(ge=1)]
    every_months: Months


class LateFee(_Section):
    daily_rate: ByTariff
    carried_over: ByTariff


class DisconnectionProposal(_Section):
    overdue_days: Annotated[int, Field(ge=1)]
    notice_days: ByTariff


class Moratorium(_Section):
    """Days, both included, in which nothing punitive is done to customers of these segments."""

    first_day: date
    last_day: date
    segments: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ends_after_it_began(self):
        if self.last_day < self.first_day:
            raise ValueError("last_day is before first_day")
        return self


class Protection(_Section):
    blocks: tuple[str, ...]
    plan_months: Months
    moratoria: tuple[Moratorium, ...]

    @model_validator(mode="after")
    def _guards_what_punishes(self):
        if absent := {"late_fee", "collection", "disconnection_proposal"} - set(self.blocks):
            raise ValueError(f"blocks must name {', '.join(sorted(absent))}: nobody who is protected is punished")
        return self


class ServiceLevels(_Section):
    """Levels of service, worst first, and who gets which."""

    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    large_from_kva: Positive
    required: dict[Literal["average", "large"], str]
    managed: str
    by_grade: dict[str, str]

    @model_validator(mode="after")
    def _levels_are_known(self):
        if set(self.required) != {"average", "large"}:
            raise ValueError("required must name average and large")
        if unknown := {*self.required.values(), self.managed, *self.by_grade.values()} - set(self.levels):
            raise ValueError(f"{min(unknown)} is not among the levels {', '.join(self.levels)}")
        return self


class Measures(_Section):
    """Who gets what; None: nobody does. See policy.yaml."""

    min_debt: NotNegative
    account_manager: AccountManager | None = None
    onsite_service: OnsiteService | None = None
    grid_support_review: GridSupportReview | None = None
    relationship_task: RelationshipTask | None = None
    retention: CustomerRetention | None = None
    emergency_supply: EmergencySupply | None = None
    repair_priority: RepairPriority | None = None
    outage_notices: OutageNotices
    responsibility_notice: ResponsibilityNotice | None = None
    visit: Visit | None = None
    inspection: Inspection | None = None
    collection: Collection | None = None
    habitual_default_followup: HabitualDefaultFollowup | None = None
    late_fee: LateFee | None = None
    disconnection_proposal: DisconnectionProposal | None = None
    protection: Protection
    service_levels: ServiceLevels

    @model_validator(mode="after")
    def _blocks_are_measures(self):
        if unknown := set(self.protection.blocks) - set(type(self).model_fields):
            raise ValueError(f"protection.blocks: there is no measure {min(unknown)}")
        return self

    def graded(self) -> list[tuple[str, str]]:
        """Each measure that goes by grade, with each of its grades."""
        held = ((name, getattr(self, name)) for name in type(self).model_fields)
        return [(name, grade) for name, each in held for grade in getattr(each, "grades", ())]

    def value_groups(self) -> list[tuple[str, str]]:
        """Each measure that goes by the group of value, with each of its groups."""
        managed = [("account_manager", self.account_manager.value_group)] if self.account_manager else []
        cared_for = self.relationship_task.value_groups if self.relationship_task else ()
        return managed + [("relationship_task", group) for group in cared_for]


class Policy(_Section):
    timezone: str
    schedule: str
    extract: Extract
    validation: Validation
    families: dict[str, tuple[str, ...]]
    indices: dict[str, Index]
    required_groups: tuple[str, ...]
    index_parameters: IndexParameters
    label: Label
    training: Training
    retraining: Retraining
    promotion: Promotion
    fairness: Fairness
    monitoring: Monitoring
    scorecard: ScorecardTerms
    grades: Grades
    grade_rules: GradeRules
    expert: Expert
    sensitivity: Sensitivity
    groups: Groups
    life_cycle: LifeCycle
    publish: Publish
    rebate: Rebate
    actions: Actions
    measures: Measures
    retention: Retention

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """The default policy with the file at ``path`` merged over it; a file that cannot be used is a ConfigError."""
        document = _read(DEFAULT)
        if path is not None:
            document = merged(document, _read(path))
        try:
            return cls(**document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            raise ConfigError(": ".join(filter(None, [f"policy {path or DEFAULT}", where, what]))) from None

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is not a time zone, for example Asia/Shanghai") from None
        return name

    @model_validator(mode="after")
    def _grade_rules_fit_in(self):
        for key, grade in self.grade_rules.named_grades().items():
            if grade not in self.grades.names:
                raise ValueError(f"grade_rules.{key}: {grade} is not among grades.names {', '.join(self.grades.names)}")
        for name, veto in self.grade_rules.vetoes:
            if veto and veto.months > self.extract.history_months:
                held = f"the lake {self.extract.history_months} (extract.history_months)"
                raise ValueError(f"grade_rules.vetoes: {name} looks back {veto.months} months, {held}")
        return self

    @model_validator(mode="after")
    def _sections_agree(self):
        segments = [segment for family in self.families.values() for segment in family]
        if twice := sorted({segment for segment in segments if segments.count(segment) > 1}):
            raise ValueError(f"families: {', '.join(twice)} stands in two families")
        if set(self.label.days_past_due) != set(self.families):
            raise ValueError("label.days_past_due must name the families: " + ", ".join(self.families))
        if unknown := (set(self.training.binned) | set(self.training.sentinels)) - set(self.indices):
            raise ValueError(f"training: {', '.join(sorted(unknown))} is not among the indices")
        if self.fairness.favourable_grades >= len(self.grades.names):
            raise ValueError("fairness.favourable_grades: there have to be grades that are not favourable")
        # What a cohort was billed in its year says how much debt is material: it must be in sight at the window's end.
        if self.label.horizon_months + 12 > self.index_parameters.bill_history_months:
            raise ValueError("label.horizon_months and a year must fit in index_parameters.bill_history_months")
        codes = [index.code for index in self.indices.values()]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"indices: {', '.join(twice)} is the code of two indices")
        for aspect, measures in self.group_features.items():
            for name, level in getattr(self.groups, aspect).items():
                if isinstance(level, dict) and (unknown := set(level) - set(measures)):
                    raise ValueError(f"groups.{aspect}.{name}: {min(unknown)} is not among {', '.join(measures)}")
        return self

    @model_validator(mode="after")
    def _measures_name_what_is_there(self):
        named = [
            *((f"{measure}.grades", grade, self.grades.names) for measure, grade in self.measures.graded()),
            *(("service_levels.by_grade", grade, self.grades.names) for grade in self.measures.service_levels.by_grade),
            *(
                (f"{measure}: value group", name, tuple(self.groups.value))
                for measure, name in self.measures.value_groups()
            ),
        ]
        for where, name, known in named:
            if name not in known:
                raise ValueError(f"measures.{where} {name} is not among {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _indices_fit_in(self):
        groups = {index.group for index in self.indices.values()}
        if unknown := [group for group in self.required_groups if group not in groups]:
            raise ValueError(f"required_groups: {', '.join(unknown)} is no group of an index")
        for name, index in self.indices.items():
            if unknown := [family for family in index.families or () if family not in self.families]:
                raise ValueError(f"indices.{name}.families: {', '.join(unknown)} is not among the families")
            key = "extract.history_months" if index.needs else "index_parameters.bill_history_months"
            reach = self.extract.history_months if index.needs else self.index_parameters.bill_history_months
            if index.window_months > reach:
                raise ValueError(f"indices.{name}.window_months: {index.window_months} reaches behind {key} ({reach})")
        return self

    @model_validator(mode="after")
    def _scorecard_is_of_what_enters_the_score(self):
        for name in self.expert.weights:
            if name not in self.indices:
                raise ValueError(f"expert.weights: {name} is not among the indices")
            if not self.indices[name].enters_score:
                raise ValueError(f"expert.weights: {name} never enters the score")
        for family in self.families:
            if not self.expert_weights(family):
                raise ValueError(f"expert.weights: no index of the family {family} has a weight")
        return self

    @property
    def group_features(self) -> dict[str, dict[str, int]]:
        """By aspect, what customers are grouped by: indices and columns of sql/lake/groups/group_features.sql, each
        with 1 where more of it is a higher level, else -1."""
        signs = {name: 1 if index.direction == "+" else -1 for name, index in self.indices.items()}
        return {
            "value": {name: 1 for name in ("avg_monthly_kwh", "revenue") if name in signs or name == "revenue"},
            "demand": dict.fromkeys(("outages", "outage_minutes", "voltage_complaints", "contacts"), 1),
            "behaviour": {name: signs[name] for name, index in self.indices.items() if index.group == "payment"},
        }

    @cached_property
    def sha256(self) -> str:
        """Of the effective policy, whichever files it came from."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def factor_indices(self, factor: str, family: str) -> tuple[str, ...]:
        """The indices of a risk factor that enter the score of a family of segments."""
        letters = self.sensitivity.factors[factor]
        return tuple(name for name in self.scored(family) if self.indices[name].letters in letters)

    def family_of(self, segment: str) -> str | None:
        return next((family for family, segments in self.families.items() if segment in segments), None)

    def scored(self, family: str) -> tuple[str, ...]:
        """The indices that enter a family's score, in the policy's order."""
        return tuple(name for name, index in self.indices.items() if index.enters_score and index.is_for(family))

    @property
    def scored_in_some_family(self) -> tuple[str, ...]:
        """The indices that enter any score, in the policy's order."""
        scored = {name for family in self.families for name in self.scored(family)}
        return tuple(name for name in self.indices if name in scored)

    def expert_weights(self, family: str) -> dict[str, float]:
        """The weights of the family's expert scorecard by index."""
        weights = self.expert.weights
        return {name: weights[name] for name in self.scored(family) if name in weights}


def _read(path: Path) -> dict:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be read: {error.strerror}; check GRIDGRADE_POLICY") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"policy {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"policy {path} must be a mapping of sections, as {DEFAULT.name} is")
    return document


def merged(base: dict, over: dict) -> dict:
    """``over`` on ``base``, section by section; a list or a number replaces what was there, null takes it away."""
    both = dict(base)
    for key, value in over.items():
        if value is None and isinstance(both.get(key), (dict, int, float)):
            del both[key]
        elif isinstance(value, dict) and isinstance(both.get(key), dict):
            both[key] = merged(both[key], value)
        else:
            both[key] = value
    return both
