"""Step: the month's grades, indices and customer groups become the revision that readers see.

Stage, audit, swap. All tables are loaded beside what readers see and audited there; one transaction puts them in place
and records the publication. A run that dies anywhere leaves readers where they were, and the next one clears up.
The same content again, on the same basis, is not published again, unless the warehouse has lost or changed its rows.
"""

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from pipeline.engine import open_engine
from pipeline.errors import AuditError, MovesError
from pipeline.lake import Lake
from pipeline.models import model_card
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing import lake_copy
from pipeline.publishing.comparison import bind_revision, difference
from pipeline.publishing.content import Content, customers_by_grade
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, locks, model_registry, publications, revisions
from pipeline.warehouse.audit import audit, damage, moves, row_hash
from pipeline.warehouse.connection import side_by_side, transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.tables import portfolio_cells, revision_changes
from pipeline.warehouse.tables.index_columns import define_indices, ensure_index_columns

log = logging.getLogger(__name__)


def publish(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = "as_known_then",
    run_id: str,
    run_kind: str,
    published_by: str | None = None,
    dry_run: bool = False,
    accept_moves: bool = False,
) -> dict:
    """Publish what the lake has of a month for each of tables.TABLES; ``changed``: readers see something new.

    ``run_kind`` is one of publications.RUN_KINDS. A dry run changes nothing and says what publishing would: see
    ``difference``. AuditError names every check that failed; MovesError when more customers of a published month would
    move than the policy lets pass and nobody has accepted that; WarehouseUnavailableError when the warehouse is away
    or stays locked. In any case readers keep what they see, and models stay as they are: those promoted with the
    month are promoted in the transaction that shows it.
    """
    lake = Lake.of(settings)
    with open_engine(settings) as engine:
        content = Content(engine, lake, month, basis, policy)
        if dry_run:
            return _summary(content) | {"dry_run": True} | _would_change(content, settings, policy)

        ensure_index_columns(settings, policy.indices)
        define_indices(settings, policy.indices)
        timeout = policy.publish.lock_timeout_seconds
        with revisions.publishing(settings, month, timeout) as connection:
            with connection.begin():
                locks.require_rating(connection, month)
                before = publications.current(connection, month)
                made = content.publication(connection, run_id=run_id, run_kind=run_kind, published_by=published_by)
                publications.record_origin(connection, made, policy.model_dump(mode="json"), content.inputs)
            promote = partial(_promote, content.promotes, month)
            damaged = before if before is not None and _is_damaged(connection, before) else None
            changed = not content.is_in(before) or damaged is not None
            if before is None or changed:
                made = _stage_and_audit(connection, policy, content, made, before, accept_moves)
                cells = portfolio_cells.count(connection, revisions.tables(made))
                changes = _difference(content, before, settings, policy) if before and not damaged else None

                def with_the_swap(swapping: Connection) -> None:
                    promote(swapping)
                    portfolio_cells.enter(swapping, made, cells)
                    if damaged is not None:
                        _remove(swapping, damaged)
                    elif before is not None and changes is not None:
                        revision_changes.enter(swapping, made, before, changes)

                published = revisions.swap(connection, made, timeout, with_the_swap)
            else:
                published = before
            with connection.begin():
                if not changed:
                    promote(connection)
                    publications.confirm(connection, published, made)
                    carry_over.mark_stale(connection, month)
                stale = [str(publication.rating_month) for publication in publications.stale(connection)]
        if policy.publish.lake_copy:
            lake_copy.ensure(settings, published)
        for version in content.promotes:
            model_card.write(settings, policy, model_registry.model(settings, version))
    return _summary(content) | {
        "changed": changed,
        "revision": published.revision,
        "moved": published.moved,
        "publication_id": str(published.publication_id),
        "is_latest_month": published.is_latest_month,
        "promoted": list(content.promotes),
        "stale_months": stale,
    }


def _summary(content: Content) -> dict:
    return {
        "month": str(content.month),
        "basis": content.basis,
        "rows": content.rows,
        "content_sha256": content.sha256,
    }


def _remove(connection: Connection, damaged: Publication) -> None:
    """Rows that are not what was published are shown to nobody, as a replaced revision either."""
    revisions.drop_rows(connection, damaged)
    publications.record_removal(connection, damaged.publication_id)


def _is_damaged(connection: Connection, published: Publication) -> bool:
    with connection.begin():
        found = damage(connection, published)
    for what in found:
        log.warning("%s: %s; it is published again", published.rating_month, what)
    return bool(found)


def _promote(versions: Mapping[str, str], month: RatingMonth, connection: Connection) -> None:
    """Promote the challengers that graded the month; months published after it keep the models they have."""
    for version, reason in versions.items():
        model_registry.promote_within(
            connection, version, "policy", from_month=month, reason=reason, later_months_keep_theirs=True
        )


def _stage_and_audit(
    connection: Connection,
    policy: Policy,
    content: Content,
    publication: Publication,
    published: Publication | None,
    accept_moves: bool,
) -> Publication:
    """All tables loaded, audited and ready to attach; when that fails they are gone. The publication with its moves."""
    month = publication.rating_month
    staged = revisions.tables(publication)

    def load(own: Connection, table: str) -> None:
        with closing(content.batches(table)) as batches:
            revisions.stage(own, table, publication, batches)

    def seal(own: Connection, table: str) -> dict[str, Any]:
        revisions.seal(own, table, publication)
        with own.begin():
            return row_hash(own, staged[table])

    try:
        side_by_side(connection, load, staged)
        if failures := audit(connection, month, staged, content.expected(), policy):
            raise AuditError(f"{month} is not published, readers keep what they see: {'; '.join(failures)}")
        if content.is_in(published):
            publication = replace(publication, moved=0, moves_accepted=False)
        elif published is not None:
            customers, moved = moves(connection, month, staged["credit_grades"])
            beyond = _beyond_limit(customers, moved, policy)
            if beyond and not accept_moves:
                raise MovesError(f"{month} is not published, readers keep what they see: {beyond}")
            publication = replace(publication, moved=moved, moves_accepted=bool(beyond))
        hashes = side_by_side(connection, seal, staged)
    except (AuditError, MovesError):
        revisions.drop(connection, list(staged.values()))
        raise
    return content.with_hashes(replace(publication, table_hashes=dict(zip(staged, hashes, strict=True))))


def _beyond_limit(customers: int, moved: int, policy: Policy) -> str | None:
    """What is too much where more of a published month's customers move than may without a person's word."""
    limit = policy.publish.max_moved_share
    if customers < policy.publish.min_rows_for_share_check or moved <= limit * customers:
        return None
    return (
        f"{moved:,} of {customers:,} customers ({moved / customers:.1%}) would get another grade, more than policy "
        f"publish.max_moved_share {limit:.1%}: look at gridgrade diff, and if that is right run again with "
        "--accept-moves (in Airflow the param accept_moves)"
    )


def _difference(content: Content, published: Publication | None, settings: Settings, policy: Policy) -> dict:
    """From what is published to the content."""
    with TemporaryDirectory(dir=settings.scratch_path) as folder:
        bind_revision(content.engine, "before", settings, published, Path(folder))
        content.engine.bind_files("after", content.files["grades"])
        return difference(content.engine, policy)


def _would_change(content: Content, settings: Settings, policy: Policy) -> dict:
    """``difference`` of what is published and the content; ``stops``: why publishing it would take a person's word."""
    with transaction(settings) as connection:
        published = publications.current(connection, content.month)
    found = _difference(content, published, settings, policy)
    totals = found["totals"]
    return {
        "changed": not content.is_in(published),
        "published": published and {name: getattr(published, name) for name in ("revision", "basis", "rows")},
        "grades": customers_by_grade(content.engine),
        "stops": published and _beyond_limit(totals["customers"], totals["moved"], policy),
        **found,
    }
