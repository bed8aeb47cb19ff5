"""Checks before a publication, and retention."""

from typing import Annotated

from pydantic import Field

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
    min_age_days: Count
