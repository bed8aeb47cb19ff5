"""What the queries of sql/lake bind by name: dates that follow from the month, and numbers of the policy."""

from datetime import date
from decimal import Decimal
from typing import Any

from pipeline.basis import Basis
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.grades import NewCustomer, Probation, Veto

_WINDOWS = (1, 3, 6, 12, 15, 24, 36, 48)


def parameters(policy: Policy, month: RatingMonth) -> dict[str, Any]:
    """What the queries bind by name for a cut-off at the end of ``month``."""
    label, index = policy.label, policy.index_parameters
    windows = {name: definition.window_months for name, definition in policy.indices.items()}
    return {
        "as_of": cutoff_day(month),
        "as_of_at": month.cutoff(policy.timezone),
        "timezone": policy.timezone,
        "settlement_tolerance": Decimal(str(policy.accounts.settlement_tolerance)),
        **{f"months_ago_{months}": cutoff_day(month - months) for months in _WINDOWS},
        **{f"since_{name}": cutoff_day(month - months) for name, months in windows.items()},
        **{f"year_after_since_{name}": cutoff_day(month - months + 12) for name, months in windows.items()},
        "statements_since": cutoff_day(month - index.statement_validity_months),
        "social_ratings_since": cutoff_day(month - index.social_rating_max_age_months),
        **_flat(index.model_dump()),
        **{f"family_{position}": family for position, family in enumerate(policy.families)},
        "default_memory_start": cutoff_day(month - label.default_memory_months),
        "min_bills": label.min_bills,
        "good_max_days_past_due": label.good_max_days_past_due,
        "materiality_floor": label.materiality_floor,
        "materiality_share": label.materiality_share,
        **{
            f"band_{name}_{position}": bound
            for name, definition in policy.indices.items()
            for position, bound in enumerate(definition.bands)
        },
        **{f"fill_{name}": d.missing for name, d in policy.indices.items() if isinstance(d.missing, float)},
        **_rule_parameters(policy, month),
    }


def _rule_parameters(policy: Policy, month: RatingMonth) -> dict[str, Any]:
    """The memory of each grade rule as the day it begins; of a rule the policy does not have, the cut-off."""
    rules = policy.grade_rules

    def since(rule: NewCustomer | Probation | Veto | None) -> date:
        return cutoff_day(month - (rule.months if rule else 0))

    months = policy.label.default_memory_months + (rules.probation.months if rules.probation else 0)
    return {
        "new_customer_since": since(rules.new_customer),
        "unpaid_above": rules.unpaid_balance.above if rules.unpaid_balance else 0,
        "probation_since": since(rules.probation),
        "probation_memory_start": cutoff_day(month - months),
        **{f"{name}_since": since(veto) for name, veto in rules.vetoes},
        "long_arrears_days": rules.long_arrears_days,
    }


def _flat(section: dict, prefix: str = "") -> dict[str, Any]:
    """The values of a section of the policy by name, those of a part of it by <part>_<name>."""
    flat: dict[str, Any] = {}
    for name, value in section.items():
        flat |= _flat(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def label_parameters(policy: Policy, cohort: RatingMonth) -> dict[str, Any]:
    """What the label query binds: ``parameters`` of the end of the cohort's window, and the cohort's own dates."""
    return parameters(policy, cohort + policy.label.horizon_months) | {
        "cohort_as_of": cutoff_day(cohort),
        "cohort_months_ago_12": cutoff_day(cohort - 12),
    }


def group_parameters(policy: Policy, month: RatingMonth, basis: Basis = Basis.AS_KNOWN_THEN) -> dict[str, Any]:
    """What the queries of sql/lake/groups bind: ``parameters`` of the month, and instants and bounds of their own.

    As known now, when a closing was recorded says nothing about the month it belongs to."""
    begins = (month - 1).cutoff(policy.timezone)
    return parameters(policy, month) | {
        "as_of_instant": month.cutoff(policy.timezone),
        "year_start_instant": (month - 12).cutoff(policy.timezone),
        "closings_recorded_from": begins if basis == Basis.AS_KNOWN_THEN else None,
        "new_since": cutoff_day(month - policy.life_cycle.new_months),
        "growth": policy.life_cycle.growth,
        "decline": policy.life_cycle.decline,
    }


def cutoff_day(month: RatingMonth) -> date:
    return (month + 1).first_day
