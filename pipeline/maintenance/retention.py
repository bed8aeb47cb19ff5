"""``gridgrade clean``: removes what the policy's retention no longer keeps of the lake, the warehouse and the pages.

Nothing is removed that a published month still needs: the newest ``repeatable_months`` published months can be rated
again, and their models trained again, from what the lake keeps.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, text

from pipeline.customers import accounts
from pipeline.ingest import validation_pages
from pipeline.lake import QUARANTINE, STAGING, Lake, fact_key
from pipeline.lake.known_records import first_read
from pipeline.maintenance import row_retention
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.publication import Retention
from pipeline.publishing import lake_copy
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.warehouse import locks, publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

_DAY = 86_400


@dataclass(frozen=True)
class Leftover:
    """Something to remove: its name, its size, and where it is rows of a table how many. ``kind``: facts, derived,
    revision, copy, pages, unfinished or rows."""

    kind: str
    name: str
    size_bytes: int
    remove: Callable[[], None] = field(repr=False, compare=False)
    rows: int | None = None


def clean(settings: Settings, policy: Policy, *, dry_run: bool = False) -> list[Leftover]:
    """Remove what retention no longer keeps; no month is rated meanwhile. Returns what went, or (dry run) would.

    WarehouseUnavailableError when a month is being rated for longer than the policy waits for locks.
    """
    with locks.cleaning(settings, policy.publish.lock_timeout_seconds):
        found = list(leftovers(settings, policy))
        if not dry_run:
            for leftover in found:
                leftover.remove()
            if any(leftover.kind == "pages" for leftover in found):
                validation_pages.rebuild_index(settings.data_docs_path)
    return found


def leftovers(settings: Settings, policy: Policy) -> Iterator[Leftover]:
    """What retention no longer keeps, of what is published; and what killed runs left."""
    lake, retention = Lake.of(settings), policy.retention
    yield from _unfinished(lake, settings.scratch_path, retention.min_age_days)
    with transaction(settings) as connection:
        months = [publication.rating_month for publication in publications.published(connection)]
        if not months:
            return
        repeatable = months[-retention.repeatable_months :]
        yield from _facts(lake, policy, repeatable[0], _needed(connection, repeatable[0]))
        yield from _derived(lake, months[-1], retention.derived_months, retention.min_age_days)
        yield from _revisions(settings, connection, retention.replaced_revisions)
        yield from _rows(settings, connection, lake, retention, months)
    yield from _copies(settings, lake)
    yield from _pages(settings.data_docs_path, months[-1] - retention.data_docs_months)


def _needed(connection: Connection, oldest: RatingMonth) -> set[tuple[str, str]]:
    """(table, month) of every partition that what is published since ``oldest`` was rated from."""
    rows = connection.execute(text(statement("publications/partitions_in_use")), {"oldest": oldest.first_day})
    return {(table, month) for table, month in rows}


def _facts(lake: Lake, policy: Policy, oldest: RatingMonth, needed: set[tuple[str, str]]) -> Iterator[Leftover]:
    """What neither a rating of ``oldest`` or later reads, nor the oldest cohort that its model would learn from."""
    cohort = policy.cohorts(oldest)[0]
    for table in contract().values():
        first = cohort if table.snapshot else first_read(table, policy, cohort)
        for month in lake.facts(table.name):
            if first is not None and month < first and (table.name, str(month)) not in needed:
                keys: dict[str, RatingMonth | str] = {fact_key(table.name): month}
                yield from _partition(lake, "facts", table.name, keys, policy.retention.min_age_days)


def _derived(lake: Lake, newest: RatingMonth, kept_months: int, min_age_days: int) -> Iterator[Leftover]:
    """Of the accounts only those of the newest month stay: they are large, and made again where they are needed."""
    for table, month, basis in lake.derived():
        if month <= newest - (1 if table in accounts.TABLES else kept_months):
            yield from _partition(lake, "derived", table, {"rating_month": month, "basis": basis}, min_age_days)


def _partition(
    lake: Lake, kind: str, table: str, keys: dict[str, RatingMonth | str], min_age_days: int
) -> Iterator[Leftover]:
    """A partition, of facts with its quarantine; not one that was written in the last days: a run that has published
    nothing yet may be about to read it."""
    written = datetime.fromisoformat(lake.manifest(table, **keys)["written_at"]).timestamp()
    if written > time.time() - min_age_days * _DAY:
        return
    size = sum(lake.size(name, **keys) for name in (table, QUARANTINE + table))

    def remove() -> None:
        if kind == "facts":
            lake.remember_beginning(table)
            lake.remove(QUARANTINE + table, **keys)
        lake.remove(table, **keys)

    yield Leftover(kind, " ".join([table, *map(str, keys.values())]), size, remove)


def _revisions(settings: Settings, connection: Connection, kept: int) -> Iterator[Leftover]:
    """Of each month, the replaced revisions beyond the ``kept`` newest that are not the latest on their basis."""
    replaced = publications.replaced(connection)
    for month, old in groupby(replaced, key=lambda publication: publication.rating_month):
        latest = {publication.basis: publication for publication in publications.revisions_of(connection, month)[::-1]}
        for publication in list(old)[: -kept or None]:
            if publication.rows_removed_at is None and publication != latest[publication.basis]:
                size = revisions.size_bytes(connection, publication)
                remove = partial(_remove_rows, settings, publication)
                yield Leftover("revision", f"{month} r{publication.revision} {publication.basis}", size, remove)


def _remove_rows(settings: Settings, publication: Publication) -> None:
    with transaction(settings) as connection:
        revisions.drop_rows(connection, publication)
        publications.record_removal(connection, publication.publication_id)


def _rows(
    settings: Settings, connection: Connection, lake: Lake, retention: Retention, months: list[RatingMonth]
) -> Iterator[Leftover]:
    """Rows of the outbox, its history, and of what validation and publications recorded."""
    held = [f"{table} {month}" for table in contract() for month in lake.facts(table)]
    for each in row_retention.outdated(retention, months, held, datetime.now(UTC)):
        found = each.found(connection)
        if found.rows:
            remove = partial(each.remove, settings)
            yield Leftover("rows", each.table, found.size_bytes, remove, rows=found.rows)


def _copies(settings: Settings, lake: Lake) -> Iterator[Leftover]:
    """Copies in the lake of what readers do not see any more: the policy has had none made since."""
    for month in lake_copy.outdated(settings):
        keys = {"rating_month": month}
        remove = partial(lake.remove, lake_copy.COPY, **keys)
        yield Leftover("copy", f"{lake_copy.COPY} {month}", lake.size(lake_copy.COPY, **keys), remove)


def _unfinished(lake: Lake, scratch: Path, min_age_days: int) -> Iterator[Leftover]:
    """Files of the lake that a writer put and, being killed, never named in a manifest; and what is left of scratch
    files. Not of the last days: a step that holds no lock may be at work on them."""
    for stored in lake.unnamed(older_than=min_age_days * _DAY):
        yield Leftover("unfinished", stored.name, stored.size, partial(lake.remove_unnamed, stored))
    for path in sorted(scratch.glob("*")):
        files = [path, *path.rglob("*")]
        if path.name != STAGING and _written(files) <= time.time() - min_age_days * _DAY:
            remove = partial(shutil.rmtree, path) if path.is_dir() else partial(path.unlink, missing_ok=True)
            yield Leftover("unfinished", f"scratch/{path.name}", _size(path), remove)


def _written(files: list[Path]) -> float:
    """When the last of them was."""
    return max((path.lstat().st_mtime for path in files if path.exists()), default=0)


def _pages(folder: Path, last: RatingMonth) -> Iterator[Leftover]:
    for month, run in validation_pages.runs(folder):
        if month <= last:
            yield Leftover("pages", str(run.relative_to(folder)), _size(run), partial(shutil.rmtree, run))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in [folder, *folder.rglob("*")] if path.is_file())
