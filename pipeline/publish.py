"""Step: the month's grades, indices and customer groups become the revision that readers see.

Stage, audit, swap. All tables are loaded beside what readers see and audited there; one transaction puts them in place
and records the publication. A run that dies anywhere leaves readers where they were, and the next one clears up.
The same content again, on the same basis, is not published again.
"""

import hashlib
import uuid
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from pipeline import cards
from pipeline.content_hash import ContentHash
from pipeline.engine import Engine, open_engine
from pipeline.errors import AuditError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Index, Policy
from pipeline.queries import compose
from pipeline.settings import Settings
from pipeline.warehouse import publications, registry, revisions
from pipeline.warehouse.audit import Expected, audit
from pipeline.warehouse.connection import side_by_side, transaction
from pipeline.warehouse.indices import define_indices, ensure_index_columns
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.tables import TABLES, is_number


def publish(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    basis: str = "as_known_then",
    run_id: str,
    run_kind: str,
    dry_run: bool = False,
) -> dict:
    """Publish what the lake has of a month for each of tables.TABLES; ``changed``: readers see something new.

    ``run_kind`` is one of publications.RUN_KINDS. A dry run changes nothing and says what publishing would: customers
    by grade, and by grade published now and then. AuditError names every check that failed; WarehouseUnavailableError
    when the warehouse is away or stays locked. Either way readers keep what they see, and models stay as they are:
    those that take over with the month are promoted in the transaction that shows it.
    """
    lake = Lake(settings.lake_path)
    manifest = lake.manifest("grades", rating_month=month, basis=basis)
    with open_engine(settings) as engine:
        content = _Content(engine, lake, month, basis, policy)
        content_sha256 = content.sha256()
        summary = {"month": str(month), "basis": basis, "rows": manifest["rows"], "content_sha256": content_sha256}
        if dry_run:
            with transaction(settings) as connection:
                changed = not _is_same(publications.current(connection, month), basis, content_sha256)
            return summary | {"changed": changed, "dry_run": True} | _difference(engine, settings, month)

        ensure_index_columns(settings, policy.indices)
        define_indices(settings, policy.indices)
        timeout = policy.publish.lock_timeout_seconds
        with revisions.publishing(settings, month, timeout) as connection:
            with connection.begin():
                published = publications.current(connection, month)
                fresh = Publication(
                    publication_id=uuid.uuid4(),
                    rating_month=month,
                    revision=publications.next_revision(connection, month),
                    basis=basis,
                    rows=manifest["rows"],
                    content_sha256=content_sha256,
                    input_sha256=manifest["input_sha256"],
                    policy_sha256=manifest["policy_sha256"],
                    model_sha256=registry.models_sha256(connection, manifest["model_versions"].values()),
                    model_versions=manifest["model_versions"],
                    run_id=run_id,
                    run_kind=run_kind,
                    model_decision=manifest.get("model_decision", ""),
                )
            promoted = manifest.get("promotes", {})
            promote = partial(_promote, promoted, month)
            changed = not _is_same(published, basis, content_sha256)
            if changed:
                _stage_and_audit(connection, policy, content, fresh)
                published = revisions.swap(connection, fresh, timeout, promote)
            else:
                with connection.begin():
                    promote(connection)
        for version in promoted:
            cards.write(settings, policy, registry.model(settings, version))
    return summary | {
        "changed": changed,
        "revision": published.revision,
        "publication_id": str(published.publication_id),
        "is_latest_month": published.is_latest_month,
        "promoted": list(promoted),
    }


def _promote(versions: Mapping[str, str], month: RatingMonth, connection: Connection) -> None:
    """The challengers that graded the month take over with it; months published after it keep the models they have."""
    for version, reason in versions.items():
        registry.promote_within(
            connection, version, "policy", from_month=month, reason=reason, later_months_keep_theirs=True
        )


def _is_same(published: Publication | None, basis: str, content_sha256: str) -> bool:
    return published is not None and (published.basis, published.content_sha256) == (basis, content_sha256)


class _Content:
    """The rows to publish, read from the lake as often as needed."""

    def __init__(self, engine: Engine, lake: Lake, month: RatingMonth, basis: str, policy: Policy):
        self._engine = engine
        keys = {"rating_month": month, "basis": basis}
        manifests = {table.partition: lake.manifest(table.partition, **keys) for table in TABLES.values()}
        grades = manifests["grades"]
        for partition, manifest in manifests.items():
            if manifest["input_sha256"] != grades["input_sha256"]:
                raise AuditError(
                    f"{month} is not published, readers keep what they see: {partition} were made from other records "
                    "than grades: run every step from compute_indices on again"
                )
            engine.bind_files(partition, lake.files(partition, **keys))
        self._population = grades["population"]
        self._rows = {table.name: manifests[table.partition]["rows"] for table in TABLES.values()}
        held = self._fetch("select * from indices limit 0").column_names
        indices = [name for name in sorted(policy.indices) if name in held]
        self._columns = {table.name: table.loaded(indices) for table in TABLES.values()}
        flagged = {name: policy.indices[name] for name in indices if f"{name}_missing" in held}
        self._missing_indices = f'{_missing_codes(flagged)} as "missing_indices"'

    def batches(self, table: str) -> pa.RecordBatchReader:
        """The rows of one of tables.TABLES by its key, without rating_month and publication_id."""
        declared = TABLES[table]
        selected = [f'cast("{name}" as {kind}) as "{name}"' for name, kind in self._columns[table].items()]
        if declared.has_indices:
            selected.append(self._missing_indices)
        query = f"select {', '.join(selected)} from {declared.partition} order by {', '.join(declared.key)}"
        return self._engine.batches(compose(query))

    def sha256(self) -> str:
        """Hash of all tables' values; file layout, row order, batches and threads do not enter it."""
        digest = hashlib.sha256()
        for table in TABLES:
            with closing(self.batches(table)) as batches:
                content = ContentHash(batches.schema)
                for batch in batches:
                    content.update(batch)
            digest.update(f"{table} {content.hexdigest()}\n".encode())
        return digest.hexdigest()

    def expected(self) -> Expected:
        """What the warehouse must hold once these rows are loaded."""
        return Expected(
            population=self._population,
            rows=self._rows,
            grades=customers_by_grade(self._engine),
            sums={table: self._sums(table) for table in TABLES},
        )

    def _sums(self, table: str) -> dict[str, tuple[int, float]]:
        columns = [name for name, kind in self._columns[table].items() if is_number(kind)]
        if not columns:
            return {}
        terms = ", ".join(
            f'count("{name}") as "n_{name}", sum(cast("{name}" as double)) as "s_{name}"' for name in columns
        )
        [row] = self._fetch(f"select {terms} from {TABLES[table].partition}").to_pylist()
        return {name: (row[f"n_{name}"], row[f"s_{name}"] or 0.0) for name in columns}

    def _fetch(self, query: str) -> pa.Table:
        return self._engine.fetch(compose(query))


def _missing_codes(indices: dict[str, Index]) -> str:
    """The codes, in order, of the missing ones of these indices, of those that are for the customer's family, as
    PostgreSQL writes an array of texts."""
    codes = []
    for name, index in sorted(indices.items(), key=lambda item: item[1].code):
        families = ", ".join("'" + family.replace("'", "''") + "'" for family in index.families or ())
        is_for = f" and family in ({families})" if families else ""
        codes.append(f"case when \"{name}_missing\"{is_for} then '{index.code}' end")
    return f"concat('{{', concat_ws(',', {', '.join(codes)}), '}}')" if codes else "'{}'"


def customers_by_grade(engine: Engine) -> dict[str, int]:
    counted = engine.fetch(
        compose("select grade, count(*) as customers from grades where grade is not null group by grade")
    )
    return dict(zip(counted["grade"].to_pylist(), counted["customers"].to_pylist(), strict=True))


def _stage_and_audit(connection: Connection, policy: Policy, content: _Content, publication: Publication) -> None:
    """All tables loaded, audited and ready to attach; when the audit fails they are gone."""
    month = publication.rating_month
    staged = {table: revisions.staged_name(table, month, publication.revision) for table in TABLES}

    def load(own: Connection, table: str) -> None:
        with closing(content.batches(table)) as batches:
            revisions.stage(own, table, publication, batches)

    def seal(own: Connection, table: str) -> None:
        revisions.seal(own, table, publication)

    try:
        side_by_side(connection, load, staged)
        if failures := audit(connection, month, staged, content.expected(), policy):
            raise AuditError(f"{month} is not published, readers keep what they see: {'; '.join(failures)}")
        side_by_side(connection, seal, staged)
    except AuditError:
        revisions.drop(connection, list(staged.values()))
        raise


def _difference(engine: Engine, settings: Settings, month: RatingMonth) -> dict:
    """Customers by grade, and by (grade published now, grade then); None stands for not rated."""
    with TemporaryDirectory(dir=settings.scratch_path) as folder:
        path = Path(folder) / "published.parquet"
        with (
            publications.published_grades(settings, month) as batches,
            pq.ParquetWriter(path, batches.schema) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        engine.bind_files("published", [str(path)])
        moves = engine.fetch(
            compose(
                "select p.grade as published, g.grade as then, count(*) as customers from grades as g "
                "full join published as p on p.customer_id = g.customer_id "
                "group by p.grade, g.grade order by p.grade, g.grade"
            )
        )
    return {"grades": customers_by_grade(engine), "migration": moves.to_pylist()}
