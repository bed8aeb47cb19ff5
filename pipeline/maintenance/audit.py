"""``gridgrade audit``: holds the lake and what is published against the hashes taken when they were written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from pipeline.errors import LakeError, ModelError
from pipeline.lake import Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.audit import damage, foreign_partitions, way_out
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement
from pipeline.warehouse.tables import erasures

OK, WRONG, UNKNOWN = "ok", "wrong", "cannot be checked"


@dataclass(frozen=True)
class Finding:
    """What was looked at (``kind``: partition, revision, model or erasure), its state, and where that is not OK a line
    of what is wrong and the way out."""

    kind: str
    name: str
    state: str = OK
    detail: str = ""


@dataclass(frozen=True)
class Span:
    """The months to look at, both included; without a bound, all."""

    first: RatingMonth | None = None
    last: RatingMonth | None = None

    def __contains__(self, month: RatingMonth) -> bool:
        return (self.first or month) <= month <= (self.last or month)


def audit(settings: Settings, span: Span) -> Iterator[Finding]:
    """Yield a finding for each partition of the lake and each revision of these months, each model, and each erasure of
    a customer that was broken off.

    Nothing is changed. Months may be rated meanwhile.
    """
    lake = Lake.of(settings)
    yield from _partitions(lake, span)
    yield from _facts(lake, settings, span)
    yield from _revisions(settings, span)
    for model in model_registry.models(settings):
        try:
            model_registry.require_unchanged(model)
        except ModelError as error:
            yield Finding("model", model.version, WRONG, str(error))
        else:
            yield Finding("model", model.version)
    with transaction(settings) as connection:
        for erased_at, erased_by in erasures.unfinished(connection).values():
            name = f"{erased_at:%Y-%m-%d %H:%M}"
            way = f"the erasure that {erased_by} began at {name} was broken off: gridgrade customer erase again"
            yield Finding("erasure", name, WRONG, way)


def _partitions(lake: Lake, span: Span) -> Iterator[Finding]:
    """Those that are there, and folders that pass for one."""
    for name in lake.partitions():
        if _is_within(name, span):
            detail = _damage(lake, name) and _damage(lake, name)  # a run may just have put another in its place
            yield Finding("partition", name, WRONG if detail else OK, detail)
    for name, detail in lake.foreign():
        if _is_within(name, span):
            yield Finding("partition", name, WRONG, detail)


def _facts(lake: Lake, settings: Settings, span: Span) -> Iterator[Finding]:
    """The facts that published months were rated from, where they are gone or others now."""
    with transaction(settings) as connection:
        rated_from = connection.execute(text(statement("publications/rated_from"))).all()
    for row in rated_from:
        recorded, months = RatingMonth.parse(row.recorded_month), [RatingMonth.of(day) for day in row.rating_months]
        rated = [month for month in months if month in span]
        keys = {fact_key(row.table_name): recorded}
        if not rated or _is_retired(lake, row.table_name, recorded):
            continue
        if not lake.has(row.table_name, **keys):
            what = "is gone"
        elif _sha256(lake, row.table_name, keys) not in (row.sha256, None):
            what = "is another than it was"
        else:
            continue
        since = f"{rated[0]} was rated from it" if len(rated) == 1 else f"{rated[0]} to {rated[-1]} were rated from it"
        way = f"gridgrade backfill {rated[0]} {rated[-1]} extracts what is missing and rates again what that changes"
        where = lake.path(row.table_name, **keys)
        yield Finding("partition", lake.name(row.table_name, **keys), WRONG, f"{where} {what}, and {since}: {way}")


def _revisions(settings: Settings, span: Span) -> Iterator[Finding]:
    with transaction(settings) as connection:
        for publication in [*publications.published(connection), *publications.replaced(connection)]:
            if publication.rating_month not in span or publication.rows_removed_at is not None:
                continue
            name = f"{publication.rating_month} revision {publication.revision}"
            found = damage(connection, publication)
            for what in found:
                yield Finding("revision", name, WRONG, f"{name}: {what}; {way_out(publication)}")
            if not found and not publication.table_hashes:
                unknown = "its rows were not hashed when it was published: its next revision's will be"
                yield Finding("revision", name, UNKNOWN, f"{name}: {unknown}")
            elif not found:
                yield Finding("revision", name)
        for table in foreign_partitions(connection):
            detail = f"rating.{table} is shown to readers and is no current revision: detach it, rate its month again"
            yield Finding("revision", f"rating.{table}", WRONG, detail)


def _damage(lake: Lake, name: str) -> str:
    try:
        lake.check(name)
    except LakeError as error:
        return str(error)
    return ""


def _sha256(lake: Lake, table: str, keys: dict[str, RatingMonth]) -> str | None:
    """What the manifest says; None where that is damaged, which is found by itself."""
    try:
        return lake.manifest(table, **keys)["sha256"]
    except LakeError:
        return None


def _is_retired(lake: Lake, table: str, month: RatingMonth) -> bool:
    """Whether retention has removed the partition: it is older than all there are, but not than all there were."""
    held, beginning = lake.facts(table), lake.beginning(table)
    return beginning is not None and beginning <= month < min(held, default=month)


def _is_within(name: str, span: Span) -> bool:
    """Whether the month that a partition is named by is one to look at; so is one that is named by none."""
    found = re.search(r"_month=([0-9]{4}-(?:0[1-9]|1[0-2]))(?:/|$)", name)
    return found is None or RatingMonth.parse(found[1]) in span
