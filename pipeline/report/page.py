"""The monthly report as a page: no script, no request, and the same figures give the same bytes."""

from pathlib import Path
from typing import Any

from pipeline.pages.templates import environment
from pipeline.report import sections, sections_of_risk
from pipeline.report.figures import Figures
from pipeline.report.parts import Figure, Words, words_in

_FOLDER = Path(__file__).parent
_SECTIONS = (
    sections.grades,
    sections.migration,
    sections.reliability,
    sections.loss,
    sections.recovery,
    sections.reconciliation,
    sections.groups,
    sections.life_cycle,
    sections_of_risk.sensitivity,
    sections_of_risk.drift,
    sections_of_risk.reasons,
    sections_of_risk.actions,
    sections_of_risk.rebates,
    sections_of_risk.quality,
    sections_of_risk.made,
)
_TILES = {  # column of month_summary: how it is written, and the column of its change
    "customers": ("count", "customers_change"),
    "mean_default_probability": ("rate", "mean_default_probability_change"),
    "in_default": ("count", "in_default_change"),
    "overdue": ("money", "overdue_change"),
    "recovery_rate": ("percent", "recovery_rate_change"),
}


def html(figures: Figures, language: str) -> str:
    """The whole page in a language of ``texts.yaml``."""
    words = words_in(language)
    [publication] = figures["publications"]
    return (
        environment(_FOLDER)
        .get_template("report.html")
        .render(
            words=words,
            month=str(figures.month),
            publication=publication,
            tiles=_tiles(figures, words),
            sections=[section(figures, words) for section in _SECTIONS],
        )
    )


def _tiles(figures: Figures, words: Words) -> list[dict[str, Any]]:
    [summary] = figures["month_summary"]
    previous = summary["previous_month"]
    return [
        {
            "label": words.column(column),
            "value": Figure(summary, column, kind),
            "change": Figure(summary, change, f"{kind}_change") if previous else None,
            "previous": f"{previous:%Y-%m}" if previous else "",
        }
        for column, (kind, change) in _TILES.items()
    ]
