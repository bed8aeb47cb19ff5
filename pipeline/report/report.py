"""Step: the monthly report, as one HTML page a language under ``settings.reports_path``."""

from typing import Any

from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.pages.files import write
from pipeline.policy import Policy
from pipeline.report import figures, page
from pipeline.settings import Settings
from pipeline.warehouse import locks

LANGUAGES = ("en", "zh")


def report(month: RatingMonth, settings: Settings, policy: Policy) -> dict[str, Any]:
    """Write the report of a published month in every language, in the place of an earlier one.

    NotPublishedError where nothing is published for the month.
    """
    paths = [settings.reports_path / file_name(month, language) for language in LANGUAGES]
    with locks.reporting(settings, month, policy.publish.lock_timeout_seconds):
        found = read(settings, month)
        for path, language in zip(paths, LANGUAGES, strict=True):
            write(page.html(found, language), path)
    return {"month": str(month), "reports": [str(path) for path in paths]}


def read(settings: Settings, month: RatingMonth) -> figures.Figures:
    """The figures of a month; NotPublishedError where there are none."""
    found = figures.read(settings, month)
    if not found["publications"]:
        raise NotPublishedError(f"nothing is published for {month}: gridgrade rate {month} rates it")
    return found


def file_name(month: RatingMonth, language: str) -> str:
    return f"{month}.html" if language == "en" else f"{month}.{language}.html"
