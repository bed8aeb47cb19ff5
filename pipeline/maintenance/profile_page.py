"""``gridgrade doctor --profile``: what the billing system holds, as one page for those who know its records."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.pages import charts
from pipeline.pages.templates import environment

_FEW_MONTHS = 2


def html(tables: Sequence[dict[str, Any]], where: str, timezone: str) -> str:
    """The page of ``pipeline.source.profile.profile``: no script, no request; the same figures give the same bytes."""
    read = [table for table in tables if table["state"] == "read"]
    return (
        environment(Path(__file__).parent)
        .get_template("profile.html")
        .render(
            tables=tables,
            where=where,
            timezone=timezone,
            rows=sum(table["rows"] for table in read),
            read=len(read),
            orphans=sum(orphans.get("rows", 0) for table in read for orphans in table["orphans"]),
            charts={table["table"]: _chart(table) for table in read if len(table["months"]) > _FEW_MONTHS},
        )
    )


def _chart(table: dict[str, Any]) -> Markup:
    months = [row | {"table": table["table"]} for row in table["months"]]
    drawn = charts.lines(
        months, "month", "rows", "table", x_title=None, y_title="rows", from_zero=True, width=820, height=150
    )
    return Markup(charts.svg(drawn, f"{table['table']}: rows by month", f"months-{table['table']}"))  # noqa: S704 ours
