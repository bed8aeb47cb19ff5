"""What the credit office decides.

Each room that reads the policy has a module of its sections here and a file of their values under ``defaults/``. A
utility's own file is merged over these; the result is validated as a whole and hashed.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import ValidationError, field_validator, model_validator

from pipeline import resources
from pipeline.errors import ConfigError, first_fault
from pipeline.month import RatingMonth
from pipeline.policy.actions import Actions, Measures, Rebate
from pipeline.policy.alerts import Alerts
from pipeline.policy.base import Section
from pipeline.policy.customers import Groups, LifeCycle
from pipeline.policy.grades import GradeRules, Grades, RiskFactor, Sensitivity
from pipeline.policy.indices import Index, IndexParameters
from pipeline.policy.models import (
    Expert,
    Fairness,
    Label,
    Monitoring,
    Promotion,
    Retraining,
    ScorecardTerms,
    Training,
)
from pipeline.policy.publication import Publish, Retention
from pipeline.policy.records import Accounts, Extract, Validation

DEFAULTS = Path(__file__).with_name("defaults")
PARTS = ("records", "indices", "models", "grades", "customers", "publication", "actions", "alerts")
# What the ratings of a month follow from. The rest says when a run starts, which model is promoted (a rating has the
# hash of its models beside that of the policy), what stops a run, and what is done once a month is published.
RATING_SECTIONS = {
    *("timezone", "extract", "validation", "accounts"),
    *("families", "indices", "required_groups", "index_parameters"),
    *("label", "training", "scorecard", "expert"),
    *("grades", "grade_rules", "sensitivity"),
    *("groups", "life_cycle"),
}
_NOT_OF_RATING: dict[str, Any] = {
    "validation": {"quarantine_limit", "quarantine_limits", "allow_month_without_bills"},
    "indices": {"__all__": {"meaning", "unit", "zh", "missing_when", "reason"}},
}


class Policy(Section):
    timezone: str
    schedule: str
    extract: Extract
    validation: Validation
    accounts: Accounts

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
    expert: Expert

    grades: Grades
    grade_rules: GradeRules
    sensitivity: Sensitivity

    groups: Groups
    life_cycle: LifeCycle

    publish: Publish
    retention: Retention

    rebate: Rebate
    actions: Actions
    measures: Measures
    alerts: Alerts

    @classmethod
    def load(cls, path: Path | None = None, *, over: dict[str, Any] | None = None) -> "Policy":
        """The default policy with the file at ``path`` merged over it, and ``over`` over both.

        ConfigError where a file, or what comes out, cannot be used.
        """
        document: dict[str, Any] = {}
        for _, layer in layers(path):
            document = merged(document, layer)
        document = merged(document, over or {})
        try:
            return cls(**document)
        except ValidationError as error:
            where, what = first_fault(error)
            raise ConfigError(": ".join(filter(None, [f"policy {path or DEFAULTS}", where, what]))) from None

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is not a time zone, for example Asia/Shanghai") from None
        return name

    @model_validator(mode="after")
    def _grade_rules_fit_in(self) -> Self:
        for key, grade in self.grade_rules.named_grades().items():
            if grade not in self.grades.names:
                raise ValueError(f"grade_rules.{key}: {grade} is not among grades.names {', '.join(self.grades.names)}")
        for name, veto in self.grade_rules.vetoes:
            if veto and veto.months > self.extract.history_months:
                held = f"the lake {self.extract.history_months} (extract.history_months)"
                raise ValueError(f"grade_rules.vetoes: {name} looks back {veto.months} months, {held}")
        return self

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        segments = [segment for family in self.families.values() for segment in family]
        if twice := sorted({segment for segment in segments if segments.count(segment) > 1}):
            raise ValueError(f"families: {', '.join(twice)} stands in two families")
        if set(self.label.days_past_due) != set(self.families):
            raise ValueError("label.days_past_due must name the families: " + ", ".join(self.families))
        if unknown := (set(self.training.binned) | set(self.training.sentinels)) - set(self.indices):
            raise ValueError(f"training: {', '.join(sorted(unknown))} is not among the indices")
        if self.fairness.favourable_grades >= len(self.grades.names):
            raise ValueError("fairness.favourable_grades: there have to be grades that are not favourable")
        # What a cohort was billed in its year says how much debt is material: it must be there at the window's end.
        if self.label.horizon_months + 12 > self.extract.history_months:
            raise ValueError("label.horizon_months and a year must fit in extract.history_months")
        codes = [index.code for index in self.indices.values()]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"indices: {', '.join(twice)} is the code of two indices")
        for aspect, measures in self.group_features.items():
            for name, level in getattr(self.groups, aspect).items():
                if isinstance(level, dict) and (unknown := set(level) - set(measures)):
                    raise ValueError(f"groups.{aspect}.{name}: {min(unknown)} is not among {', '.join(measures)}")
        return self

    @model_validator(mode="after")
    def _measures_name_what_is_there(self) -> Self:
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
    def _indices_fit_in(self) -> Self:
        groups = {index.group for index in self.indices.values()}
        if unknown := [group for group in self.required_groups if group not in groups]:
            raise ValueError(f"required_groups: {', '.join(unknown)} is no group of an index")
        for name, index in self.indices.items():
            if unknown := [family for family in index.families or () if family not in self.families]:
                raise ValueError(f"indices.{name}.families: {', '.join(unknown)} is not among the families")
            reach = self.extract.history_months
            if index.window_months > reach:
                key = "extract.history_months"
                raise ValueError(f"indices.{name}.window_months: {index.window_months} reaches behind {key} ({reach})")
        return self

    @model_validator(mode="after")
    def _scorecard_is_of_what_enters_the_score(self) -> Self:
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
        return _sha256(self.model_dump(mode="json"))

    @cached_property
    def rating_sha256(self) -> str:
        """Of what the ratings of a month follow from: equal, and a month need not be rated again for the policy."""
        return _sha256(self.model_dump(mode="json", include=RATING_SECTIONS, exclude=_NOT_OF_RATING))

    def factor_indices(self, factor: RiskFactor, family: str) -> tuple[str, ...]:
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

    def cohorts(self, month: RatingMonth) -> list[RatingMonth]:
        """The newest cohorts whose label window had ended at the month's cut-off, less the embargo, in chronological
        order."""
        newest = month - self.label.horizon_months - self.label.embargo_months
        return list(RatingMonth.span(newest - self.training.cohorts + 1, newest))

    def expert_weights(self, family: str) -> dict[str, float]:
        """The weights of the family's expert scorecard by index."""
        weights = self.expert.weights
        return {name: weights[name] for name in self.scored(family) if name in weights}


def layers(path: Path | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """The files that make up the policy with what each says, in the order in which they are merged."""
    files = [DEFAULTS / f"{part}.yaml" for part in PARTS]
    return [(file, _read(file)) for file in (*files, *([path] if path else []))]


def _sha256(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        document = resources.read_yaml(path)
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be read: {error.strerror}; check GRIDGRADE_POLICY") from None
    except UnicodeDecodeError:
        raise ConfigError(f"policy {path} is not UTF-8: save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"policy {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"policy {path} must be a mapping of sections, as the files in {DEFAULTS} are")
    return document


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
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
