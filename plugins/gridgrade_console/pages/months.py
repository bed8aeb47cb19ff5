"""Months: publications, quality, and what changed."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gridgrade_console.airflow_runs import last_dry_run
from gridgrade_console.context import Asked
from pipeline.console import months
from pipeline.month import RatingMonth
from pipeline.publishing import late_records

router = APIRouter()

SHOWN = 20

Asking = Annotated[str, Query(alias="month", max_length=10)]


@router.get("/months")
def overview(asked: Asked) -> Response:
    """Every published month, and which of them are stale."""
    return asked.page("months.html", months=months.overview(asked.settings))


@router.get("/month")
def show(asked: Asked, text: Asking) -> Response:
    """One month: its revisions, what validation found, and the last dry run's difference."""
    month = RatingMonth.parse(text)
    return asked.page(
        "month.html",
        month=month,
        revisions=months.revisions_of(asked.settings, month),
        validation=months.validation(asked.settings, month),
        failed=months.failed_checks(asked.settings, month),
        dry_run=last_dry_run(month),
    )


@router.get("/month-difference")
def compare(
    asked: Asked,
    text: Asking,
    before: Annotated[int, Query(ge=1)],
    after: Annotated[int, Query(ge=1)],
) -> Response:
    """What one revision of a month changed against another: who moves, how far, and why."""
    month = RatingMonth.parse(text)
    compared = months.compare(asked.settings, asked.policy, month, before, after)
    return asked.page(
        "difference.html",
        month=month,
        title=f"{month}: revision {after} against revision {before}",
        found=compared.found,
        indices=None,
        explained=f"{compared.before.basis.replace('_', ' ')} and {compared.after.basis.replace('_', ' ')}",
    )


@router.get("/month-late")
def late(asked: Asked, text: Asking) -> Response:
    """What records that came after the cut-off changed."""
    month = RatingMonth.parse(text)
    found = late_records.late_records(month, asked.settings, asked.policy, largest=SHOWN)
    return asked.page(
        "difference.html",
        month=month,
        title=f"{month}: what late records changed",
        found=found,
        indices={code: number for code, number in found["indices"].items() if number},
        explained=f"revision {found['as_known_now']['revision']}, as known now, against revision "
        f"{found['as_known_then']['revision']}, as known then",
    )
