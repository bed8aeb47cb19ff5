"""Checks before a publication, and retention."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.policy.base import Count, Section, Share


class Publish(Section):
    max_grade_share_change: Share
    max_moved_share: Share
    min_rows_for_share_check: Count
    lock_timeout_seconds: Annotated[int, Field(ge=1)]
    lake_copy: bool


class Retention(Section):
    repeatable_months: Annotated[int, Field(ge=1)]
    derived_months: Annotated[int, Field(ge=1)]
    replaced_revisions: Count
    data_docs_months: Annotated[int, Field(ge=1)]
    actions_months: Annotated[int, Field(ge=24)]
    events_months: Annotated[int, Field(ge=1)]
    validation_months: Annotated[int, Field(ge=1)]
    quarantine_months: Annotated[int, Field(ge=1)]
    inputs_months: Annotated[int, Field(ge=1)]
    min_age_days: Count

    @model_validator(mode="after")
    def _repeatable(self) -> Self:
        if self.inputs_months < self.repeatable_months:
            raise ValueError("inputs_months must not be less than repeatable_months: they say what it was rated from")
        return self
