"""Rebates, actions with their channels, and the service measures."""

from datetime import date
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline import resources
from pipeline.errors import MonthError
from pipeline.month import RatingMonth
from pipeline.policy.base import Count, NotNegative, Positive, Section, Share

NAME = r"^[a-z0-9_]+$"
Language = Literal["en", "zh"]
MailAddress = Annotated[str, Field(pattern=r"^[^\s@,;<>]+@[^\s@,;<>]+$")]

Months = Annotated[int, Field(ge=1)]
GradeNames = Annotated[tuple[str, ...], Field(min_length=1)]


class Campaign(Section):
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
    def _ends_after_it_began(self) -> Self:
        if self.last_month is not None and self.last_month < self.first_month:
            raise ValueError("last_month is before first_month")
        return self


class Rebate(Section):
    campaigns: tuple[Campaign, ...]

    @field_validator("campaigns")
    @classmethod
    def _names_differ(cls, campaigns: tuple[Campaign, ...]) -> tuple[Campaign, ...]:
        if len({campaign.name for campaign in campaigns}) != len(campaigns):
            raise ValueError("two campaigns have the same name")
        return campaigns


class ActionChannel(Section):
    """How a channel is used, and when it is given up."""

    timeout_seconds: Positive
    deadline_seconds: Positive
    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.:-]+$")], ...] = ()
    attempts: Annotated[int, Field(ge=1)]
    backoff_seconds: Positive
    max_backoff_seconds: Positive
    per_minute: Annotated[int, Field(ge=1)]
    rest_after_failures: Annotated[int, Field(ge=1)]


class ActionChannels(Section):
    webhook: ActionChannel
    email: ActionChannel


class ActionType(Section):
    """What becomes of the actions of a type: ``to`` names who gets its mail, "customer" or addresses of staff."""

    channels: Annotated[tuple[Literal["queue", "webhook", "email"], ...], Field(min_length=1)] = ("queue",)
    approval: Literal["required", "automatic"] = "required"
    priority: Annotated[int, Field(ge=1, le=9)] = 5
    due_hours: Positive | None = None
    expires_hours: Positive | None = None
    to: Literal["customer"] | Annotated[tuple[MailAddress, ...], Field(min_length=1)] | None = None
    template: Annotated[str, Field(pattern=NAME)] | None = None
    language: Language | None = None

    @model_validator(mode="after")
    def _channels_can_follow_each_other(self) -> Self:
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("channels names one twice")
        if "queue" in self.channels[:-1]:
            raise ValueError("channels: the queue takes everything, so it can only be the last")
        if "email" in self.channels and self.to is None:
            raise ValueError("mail needs `to`: customer, or a list of addresses")
        return self


class Actions(Section):
    language: Language
    sender: dict[Language, Annotated[str, Field(min_length=1)]]
    approval_step: bool
    approval_days: Annotated[int, Field(ge=1)]
    channels: ActionChannels
    types: dict[Annotated[str, Field(pattern=NAME)], ActionType]

    @model_validator(mode="after")
    def _a_person_decides_on_power(self) -> Self:
        if self.sender.keys() != set(get_args(Language)):
            raise ValueError("sender must name the languages: " + ", ".join(get_args(Language)))
        disconnection = self.types.get("disconnection_proposal")
        if disconnection and disconnection.approval != "required":
            raise ValueError("types.disconnection_proposal: a person has to approve it: approval required")
        return self

    def template(self, action_type: str) -> str:
        """The name of its template; the type's own where the policy names none."""
        return (self.types[action_type].template if action_type in self.types else None) or action_type

    def language_of(self, action_type: str) -> Language:
        return (self.types[action_type].language if action_type in self.types else None) or self.language


class ByTariff(Section):
    """A number for households, and one for everybody else."""

    residential: NotNegative
    others: NotNegative

    def of(self, segment: str) -> float:
        return self.residential if segment == "residential" else self.others


class AccountManager(Section):
    value_group: str
    managers: Annotated[dict[Annotated[str, Field(min_length=1)], Count], Field(min_length=1)]


class OnsiteService(Section):
    every_months: Months


class GridSupportReview(Section):
    every_months: Months
    min_capacity_kva: NotNegative


class RelationshipTask(Section):
    grades: GradeNames
    value_groups: tuple[str, ...]
    every_months: Months


class CustomerRetention(Section):
    grades: GradeNames
    every_months: Months


class EmergencySupply(Section):
    share: Share
    every_months: Months


class RepairPriority(Section):
    look_back_hours: Positive
    priority_hours: Positive
    emergency_hours: Positive


class OutageNotices(Section):
    schedule: str
    hours_ahead: Positive
    recipients: Literal["all", "sensitive"]
    sensitive_from: Share
    look_ahead_days: Months
    look_back_days: Months


class ResponsibilityNotice(Section):
    grades: GradeNames
    every_months: Months


class Visit(Section):
    grades: GradeNames
    overdue_days: Count


class Inspection(Section):
    grades: GradeNames
    violations: Count
    every_months: Months


class Collection(Section):
    grades: GradeNames
    overdue_days: Count


class HabitualDefaultFollowup(Section):
    delinquencies: Annotated[int, Field(ge=1)]
    every_months: Months


class LateFee(Section):
    daily_rate: ByTariff
    carried_over: ByTariff


class DisconnectionProposal(Section):
    overdue_days: Annotated[int, Field(ge=1)]
    notice_days: ByTariff


class Moratorium(Section):
    """Days, both included, in which nothing punitive is done to customers of these segments."""

    first_day: date
    last_day: date
    segments: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError("last_day is before first_day")
        return self


class Protection(Section):
    blocks: tuple[str, ...]
    plan_months: Months
    moratoria: tuple[Moratorium, ...]

    @model_validator(mode="after")
    def _guards_what_punishes(self) -> Self:
        if absent := {"late_fee", "collection", "disconnection_proposal"} - set(self.blocks):
            raise ValueError(f"blocks must name {', '.join(sorted(absent))}: nobody who is protected is punished")
        return self


class ServiceLevels(Section):
    """Levels of service, worst first, and who gets which."""

    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    large_from_kva: Positive
    required: dict[Literal["average", "large"], str]
    managed: str
    by_grade: dict[str, str]

    @model_validator(mode="after")
    def _levels_are_known(self) -> Self:
        if set(self.required) != {"average", "large"}:
            raise ValueError("required must name average and large")
        if unknown := {*self.required.values(), self.managed, *self.by_grade.values()} - set(self.levels):
            raise ValueError(f"{min(unknown)} is not among the levels {', '.join(self.levels)}")
        return self


class OwnMeasure(BaseModel):
    """A measure of the utility's own: the keys that ours have too, and numbers or texts that its query binds."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Annotated[str, Field(pattern=NAME)], bool | int | float | str]

    grades: GradeNames | None = None
    value_groups: tuple[str, ...] | None = None
    every_months: Months | None = None


class Measures(Section):
    """Who gets which service measure; None: nobody. defaults/actions.yaml says what each key means.

    Any other name is a measure of the utility's own: of the query sql/lake/measures/<name>.sql.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Annotated[str, Field(pattern=NAME)], OwnMeasure | None]

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
    def _own_measures_have_a_query(self) -> Self:
        for name in self.__pydantic_extra__:
            if resources.file(resources.LAKE, f"measures/{name}.sql") is None:
                raise ValueError(f"{name}: there is no query sql/lake/measures/{name}.sql for it in GRIDGRADE_PROJECT")
        return self

    @model_validator(mode="after")
    def _blocks_are_measures(self) -> Self:
        if unknown := set(self.protection.blocks) - {*type(self).model_fields, *self.__pydantic_extra__}:
            raise ValueError(f"protection.blocks: there is no measure {min(unknown)}")
        return self

    def sections(self) -> dict[str, BaseModel]:
        """Ours and the utility's own by name, without those that are taken away, in the policy's order."""
        return {name: section for name, section in self if isinstance(section, BaseModel)}

    def graded(self) -> list[tuple[str, str]]:
        """Each measure that goes by grade, with each of its grades."""
        return [
            (name, grade) for name, each in self.sections().items() for grade in getattr(each, "grades", None) or ()
        ]

    def value_groups(self) -> list[tuple[str, str]]:
        """Each measure that goes by the group of value, with each of its groups."""
        managed = [("account_manager", self.account_manager.value_group)] if self.account_manager else []
        sections = self.sections().items()
        return managed + [
            (name, group) for name, each in sections for group in getattr(each, "value_groups", None) or ()
        ]
