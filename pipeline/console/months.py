"""Months: their publications, what is stale, what validation found, and what would or did change."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.console.queries import rows
from pipeline.engine import open_engine
from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.comparison import bind_revision, difference
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.tables import revision_changes


def overview(settings: Settings) -> list[dict[str, Any]]:
    """One row a published month, newest first: the revision readers see, and what validation left out."""
    return rows(settings, "months")


def latest(settings: Settings) -> RatingMonth | None:
    """The latest published month."""
    with transaction(settings) as connection:
        found = publications.latest(connection)
    return found.rating_month if found else None


def revisions_of(settings: Settings, month: RatingMonth) -> list[Publication]:
    """Every revision of a month, the newest first; NotPublishedError where there is none."""
    with transaction(settings) as connection:
        found = publications.revisions_of(connection, month)
    if not found:
        raise NotPublishedError(f"nothing is published for {month}: gridgrade rate {month} rates it")
    return found


def validation(settings: Settings, month: RatingMonth) -> list[dict[str, Any]]:
    """One row a source table that the month's run checked."""
    return rows(settings, "month_validation", month=month.first_day)


def failed_checks(settings: Settings, month: RatingMonth) -> list[dict[str, Any]]:
    """One row an expectation that did not hold in it."""
    return rows(settings, "month_failed_checks", month=month.first_day)


@dataclass(frozen=True)
class Compared:
    """Two revisions of a month; ``found`` is ``pipeline.publishing.comparison.difference``."""

    before: Publication
    after: Publication
    found: dict[str, Any]


def compare(settings: Settings, policy: Policy, month: RatingMonth, before: int, after: int) -> Compared:
    """What the later revision changed; NotPublishedError where one is not kept.

    Where it replaced the earlier one, that was counted when it was published; any other two are compared now.
    """
    by_number = {publication.revision: publication for publication in revisions_of(settings, month)}
    if before in by_number and after in by_number:
        with transaction(settings) as connection:
            if found := revision_changes.read(connection, by_number[after], by_number[before]):
                return Compared(by_number[before], by_number[after], found)
    for number in (before, after):
        if number not in by_number or by_number[number].rows_removed_at is not None:
            raise NotPublishedError(f"{month} has no revision {number} any more: choose another")
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as folder:
        for view, number in (("before", before), ("after", after)):
            bind_revision(engine, view, settings, by_number[number], Path(folder))
        return Compared(by_number[before], by_number[after], difference(engine, policy))
