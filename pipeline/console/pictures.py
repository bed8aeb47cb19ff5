"""The console's charts, of what its read models found. A page shows the same figures as a table beside each.

Drawn by ``pipeline.pages.charts``, which is imported with the first chart: it takes seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.console.portfolio import Portfolio
from pipeline.month import RatingMonth
from pipeline.pages.palette import variables

MONTHS = 24
_Rows = Sequence[Mapping[str, Any]]

# The palette as the console's pages have it: Airflow's choice of light or dark, else the system's.
PALETTE = variables(
    ':root[data-theme="dark"]', "@media screen and (prefers-color-scheme: dark) { :root:not([data-theme])"
)


def warm_up() -> None:
    """Import what draws and draw once, so that the first person who asks does not wait for it."""
    from pipeline.pages import charts

    charts.svg(charts.bars([{"name": "", "value": 1}], "name", "value", x_title=None), "", "warm")


def customers_by_grade(grades: Sequence[str], months: Mapping[RatingMonth, Portfolio | None]) -> Markup:
    """Columns, a group a grade; ``months``: the oldest first, of which some may not be published."""
    from pipeline.pages import charts

    shown = {month: found.by("grade") for month, found in months.items() if found}
    rows = [
        {"grade": grade, "customers": counts[grade], "month": str(month)}
        for month, counts in shown.items()
        for grade in grades
    ]
    drawn = charts.columns(
        rows,
        "grade",
        "customers",
        "month",
        x_title=None,
        y_title="Customers",
        order=grades,
        colours=charts.TIMES[-len(shown) :],
        width=480,
        height=190,
    )
    return Markup(charts.svg(drawn, f"Customers by grade in {_listed(shown)}", "grades"))  # noqa: S704 ours


def recovery(rows: _Rows) -> Markup | None:
    """Collected of what was billed, month by month; ``rows`` newest first. None with fewer than two points."""
    points = [
        {"month": _month(row), "value": row["recovery_rate"], "of": "recovery"}
        for row in reversed(rows)
        if row["recovery_rate"] is not None
    ]
    return _lines(points, "Recovery: collected as a share of billed", "recovery", is_share=True)


def score(history: _Rows) -> Markup | None:
    """A customer's score with its grade at each point, of the last MONTHS; ``history`` newest first."""
    points = [
        {"month": _month(row), "value": row["score"], "of": "score", "grade": row["grade"]}
        for row in reversed(history[:MONTHS])
    ]
    return _lines(points, "Score, with the grade of each month", "score", label="grade")


def by_version(rows: _Rows, column: str, title: str, limit: str | None = None) -> dict[str, Markup]:
    """By family: a metric of its versions, month by month. ``limit``: the column of its limit, as a line of its own."""
    drawn = {}
    for place, family in enumerate(dict.fromkeys(row["family"] for row in rows)):
        of_family = [row for row in reversed(rows) if row["family"] == family and row[column] is not None]
        months = sorted({row["rating_month"] for row in of_family})[-MONTHS:]
        of_family = [row for row in of_family if row["rating_month"] in months]
        points = [{"month": _month(row), "value": row[column], "of": row["version"]} for row in of_family]
        if limit:
            limits = {_month(row): row[limit] for row in of_family if row[limit] is not None}
            points += [{"month": month, "value": value, "of": "limit"} for month, value in limits.items()]
        chart = _lines(
            points, f"{title}, {family.replace('_', ' ')}", f"{column}-{place}", width=440, from_zero=bool(limit)
        )
        if chart:
            drawn[family] = chart
    return drawn


def _lines(points: _Rows, title: str, name: str, *, width: int = 620, **more: Any) -> Markup | None:
    from pipeline.pages import charts

    months = list(dict.fromkeys(point["month"] for point in points))
    if len(months) < 2:
        return None
    drawn = charts.lines(points, "month", "value", "of", x_title=None, y_title=None, width=width, height=170, **more)
    return Markup(charts.svg(drawn, f"{title}: {months[0]} to {months[-1]}", name))  # noqa: S704 ours


def _month(row: Mapping[str, Any]) -> str:
    return f"{row['rating_month']:%Y-%m}"


def _listed(months: Mapping[RatingMonth, Any]) -> str:
    *some, last = map(str, months)
    return f"{', '.join(some)} and {last}" if some else last
