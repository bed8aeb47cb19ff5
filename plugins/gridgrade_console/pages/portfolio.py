"""The portfolio: a month's customers by grade, beside the month and the year before, and its revisions."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gridgrade_console.context import Asked, Month
from pipeline.console import months, pictures, portfolio

router = APIRouter()


@router.get("/")
def show(asked: Asked, month: Month, revision: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The latest month, or the one that is asked for; the revision readers see, or another one that is kept."""
    settings = asked.settings
    month = month or months.latest(settings)
    if month is None:
        return asked.page("nothing.html")
    of_month = months.revisions_of(settings, month)
    now = portfolio.portfolio(settings, month, revision)
    before, year_ago = (portfolio.earlier(settings, month - ago) for ago in (1, 12))
    recovery = portfolio.recovery(settings, month)
    kept = [one for one in of_month if one.rows_removed_at is None]
    return asked.page(
        "portfolio.html",
        month=month,
        revision=revision,
        months=[row["rating_month"] for row in months.overview(settings)],
        now=now,
        before=before,
        year_ago=year_ago,
        moves=now.moves(before),
        revisions=[portfolio.portfolio(settings, month, one.revision) for one in kept[:6]],
        recovery=recovery,
        charts={
            "grades": pictures.customers_by_grade(
                asked.policy.grades.names, {month - 12: year_ago, month - 1: before, month: now}
            ),
            "recovery": pictures.recovery(recovery),
        },
    )
