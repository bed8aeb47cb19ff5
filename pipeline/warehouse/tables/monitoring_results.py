"""What was measured of the models in use: rating.model_monitoring and rating.shadow_grades, replaced by months."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

_TABLES = {
    "rating.model_monitoring": (
        "segment",
        "version",
        "measure",
        "subject",
        "compared_with",
        "compared_month",
        "value",
        "low",
        "high",
        "expected",
        "limit_value",
        "customers",
        "defaults",
        "unseen",
        "status",
        "detail",
        "basis",
    ),
    "rating.shadow_grades": (
        "segment",
        "champion",
        "challenger",
        "champion_grade",
        "challenger_grade",
        "customers",
    ),
}


def replace(
    settings: Settings, month: RatingMonth, checks: Sequence[dict[str, Any]], shadows: Sequence[dict[str, Any]]
) -> None:
    """Put what was measured of a month in the place of what was before, in one transaction.

    A check and a shadow have the columns of their table but for the month and the time; what is left out is null.
    """
    with transaction(settings) as connection:
        for (table, columns), rows in zip(_TABLES.items(), (checks, shadows), strict=True):
            connection.execute(text(f"delete from {table} where rating_month = :month"), {"month": month.first_day})
            bound = ", ".join(f":{column}" for column in columns)
            insert = text(f"insert into {table} (rating_month, {', '.join(columns)}) values (:month, {bound})")
            usual = dict.fromkeys(columns) | {"unseen": 0, "detail": ""}
            values = [usual | row | {"month": month.first_day} for row in rows]
            if values:
                connection.execute(insert, values)


def of_version(settings: Settings, version: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Its latest checks, and its shadow grades as a challenger, as rows with ``rating_month`` as a date."""
    with transaction(settings) as connection:
        checks = connection.execute(text(statement("models/latest_checks")), {"version": version})
        shadows = connection.execute(
            text(
                "select rating_month, champion, champion_grade, challenger_grade, customers "
                "from rating.shadow_grades where challenger = :version order by rating_month, 3, 4"
            ),
            {"version": version},
        )
        return [dict(row._mapping) for row in checks], [dict(row._mapping) for row in shadows]
