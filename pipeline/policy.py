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

DEFAULT = Path(__file__).with_name("policy.yaml")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Language = Literal["en", "zh"]
MailAddress = Annotated[str, Field(pattern=r"^[^\s@,;<>]+@[^\s@,;<>]+$")]


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


class Index(_Section):
    code: str
    group: str
    unit: str
    window_months: Count
    direction: Literal["+", "-"]
    missing: Literal["median"] | float
    bands: tuple[float, float, float]

    @model_validator(mode="after")
    def _bands_follow_direction(self):
        if list(self.bands) != sorted(self.bands, reverse=self.direction == "+"):
            raise ValueError("bands must go from good to bad along the direction")
        return self


class Severity(_Section):
    """What an event of that kind counts among delinquencies; nothing where it is left out."""

    overdue_notice: NotNegative = 0
    returned_payment: NotNegative = 0
    plan_broken: NotNegative = 0
    disconnection: NotNegative = 0
    write_off: NotNegative = 0


class IndexParameters(_Section):
    bill_history_months: Annotated[int, Field(ge=15)]
    min_bills_due: Count
    min_months_of_reads: Count
    delinquency_half_life_months: Positive
    delinquency_severity: Severity


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
    max_rows: Annotated[int, Field(ge=1000)]
    seed: int

    @model_validator(mode="after")
    def _leaves_customers_to_fit(self):
        if self.holdout_share + self.calibration_share >= 1:
            raise ValueError("holdout_share and calibration_share leave no customers to fit on")
        return self


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


class Publish(_Section):
    max_grade_share_change: Share
    min_rows_for_share_check: Count
    lock_timeout_seconds: Annotated[int, Field(ge=1)]


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


class Retention(_Section):
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
    retention: Retention | None = None
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
    index_parameters: IndexParameters
    label: Label
    training: Training
    scorecard: ScorecardTerms
    grades: Grades
    expert: Expert
    groups: Groups
    life_cycle: LifeCycle
    publish: Publish
    rebate: Rebate
    actions: Actions
    measures: Measures

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """The default policy with the file at ``path`` merged over it; a file that cannot be used is a ConfigError."""
        document = _read(DEFAULT)
        if path is not None:
            document = _merge(document, _read(path))
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
    def _sections_agree(self):
        segments = [segment for family in self.families.values() for segment in family]
        if twice := sorted({segment for segment in segments if segments.count(segment) > 1}):
            raise ValueError(f"families: {', '.join(twice)} stands in two families")
        if set(self.label.days_past_due) != set(self.families):
            raise ValueError("label.days_past_due must name the families: " + ", ".join(self.families))
        if unknown := set(self.expert.weights) - set(self.indices):
            raise ValueError(f"expert.weights: {', '.join(sorted(unknown))} is not among the indices")
        for aspect, measures in self.group_measures.items():
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

    @property
    def group_measures(self) -> dict[str, dict[str, int]]:
        """By aspect, what customers are grouped by: indices and columns of sql/groups/group_measures.sql, each with 1
        where more of it is a higher level, else -1."""
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

    def family_of(self, segment: str) -> str | None:
        return next((family for family, segments in self.families.items() if segment in segments), None)


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


def _merge(base: dict, over: dict) -> dict:
    """``over`` on ``base``, section by section; a list or a number replaces what was there, null takes it away."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and isinstance(merged.get(key), (dict, int, float)):
            del merged[key]
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged
