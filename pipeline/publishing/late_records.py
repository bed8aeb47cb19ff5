"""``gridgrade late``: what records that came after the cut-off changed of a month, by its publications."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, text

from pipeline.basis import Basis
from pipeline.engine import open_engine
from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing.comparison import bind_revision, difference
from pipeline.settings import Settings
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement


def late_records(
    month: RatingMonth, settings: Settings, policy: Policy, *, largest: int | None = None
) -> dict[str, Any]:
    """The latest publication as known then against the latest as known now: ``difference``, and which indices changed.

    ``indices`` counts the customers by index; each of ``moves`` (at most ``largest``; None: all) names its own.
    NotPublishedError where the month was not published on both bases.
    """
    with transaction(settings) as connection:
        kept = {basis: _latest(publications.revisions_of(connection, month), month, basis) for basis in Basis}
        then, now = kept.values()
        changed = _changed_indices(connection, then, now, policy)
    with open_engine(settings) as engine, TemporaryDirectory(dir=settings.scratch_path) as folder:
        for view, publication in zip(("before", "after"), kept.values(), strict=True):
            bind_revision(engine, view, settings, publication, Path(folder))
        found = difference(engine, policy, largest=largest)
    for move in found["moves"]:
        move["indices"] = changed.get(move["customer_id"], [])
    codes = [code for customer in changed.values() for code in customer]
    return {
        "month": str(month),
        **{
            basis: {
                "revision": publication.revision,
                "published_at": publication.published_at,
                "known_in": str(publication.known_in or "")[:7],
                "is_current": publication.superseded_at is None,
            }
            for basis, publication in kept.items()
        },
        "indices": {index.code: codes.count(index.code) for index in policy.indices.values()},
        **found,
    }


def _latest(revisions_of: list[Publication], month: RatingMonth, basis: str) -> Publication:
    for publication in revisions_of:
        if publication.basis == basis and publication.rows_removed_at is None:
            return publication
    raise NotPublishedError(
        f"{month} is not published {basis}: gridgrade diff {month} --basis {basis} says what that would change, and "
        f"gridgrade rate {month} --basis {basis} publishes it"
    )


def _changed_indices(
    connection: Connection, then: Publication, now: Publication, policy: Policy
) -> dict[str, list[str]]:
    """By customer, the codes of the indices that differ; only customers of whom any does."""
    tables = [revisions.staged_name("credit_indices", p.rating_month, p.revision) for p in (then, now)]
    held = connection.execute(
        text(statement("publications/common_columns")),
        {"tables": [f"rating.{table}" for table in tables]},
    ).scalars()
    names = sorted(set(policy.indices) & set(held))
    if not names:
        return {}
    differs = "case when a.{0} is distinct from b.{0} then '{0}' end"
    which = ", ".join(differs.format(name) for name in names)
    query = statement("publications/changed_indices", names=which, before=tables[0], after=tables[1])
    rows = connection.execute(text(query))
    return {customer: [policy.indices[name].code for name in changed] for customer, changed in rows}
