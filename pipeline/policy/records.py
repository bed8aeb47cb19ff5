"""The lake's reach, and which records are refused."""

from typing import Annotated

from pydantic import Field

from pipeline.policy.base import Count, NotNegative, Positive, Section, Share


class Accounts(Section):
    settlement_tolerance: NotNegative
    max_register_difference: Annotated[float, Field(ge=0, le=1)]


class Extract(Section):
    history_months: Annotated[int, Field(ge=1)]


class Validation(Section):
    max_amount: Positive
    max_balance: Positive
    max_energy: Positive
    max_days_to_due: Count
    reference_grace_months: Count
    quarantine_limit: Share
    quarantine_limits: dict[str, Share]
    undated_limit: Share
    allow_month_without_bills: bool
    post_dated_payment_days: Count

    def limit(self, table: str) -> float:
        """Share of a table's rows that may fail before the run stops."""
        return self.quarantine_limits.get(table, self.quarantine_limit)
