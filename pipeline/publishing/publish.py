"""Step: the month's grades, indices and customer groups become the revision that readers see.

Stage, audit, swap. All tables are loaded beside what readers see and audited there; one transaction puts them in place
and records the publication. A run that dies anywhere leaves readers where they were, and the next one clears up.
The same content again, on the same basis, is not published again.
"""

import hashlib
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from sqlalchemy import Connection

from pipeline.engine import Engine, open_engine
from pipeline.engine.queries import compose
from pipeline.errors import AuditError, MovesError
from pipeline.lake import Lake
from pipeline.models import model_card
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.indices import Index
from pipeline.publishing.comparison import bind_revision, difference
from pipeline.publishing.content_hash import ContentHash
from pipeline.publishing.fingerprint import Recipe
from pipeline.settings import Settings
from pipeline.warehouse import carry_over, model_registry, publications, revisions
from pipeline.warehouse.audit import Expected, audit, moves
from pipeline.warehouse.connection import side_by_side, transaction
from pipeline.warehouse.index_columns import define_indices, ensure_index_columns
from pipeline.warehouse.monthly_tables import TABLES, is_number
from pipeline.warehouse.publications import Publication


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
    or stays locked. In any case readers keep what they see, and models stay as they are: those that take over with the
    month are promoted in the transaction that shows it.
    """
    lake = Lake(settings.lake_path)
    with open_engine(settings) as engine:
        content = _Content(engine, lake, month, basis, policy)
        if dry_run:
            return _summary(content) | {"dry_run": True} | _would_change(content, settings, policy)

        ensure_index_columns(settings, policy.indices)
        define_indices(settings, policy.indices)
        timeout = policy.publish.lock_timeout_seconds
        with revisions.publishing(settings, month, timeout) as connection:
            with connection.begin():
                published = publications.current(connection, month)
                made = content.publication(connection, run_id=run_id, run_kind=run_kind, published_by=published_by)
                publications.record_origin(connection, made, policy.model_dump(mode="json"), content.inputs)
            promote = partial(_promote, content.promotes, month)
            changed = not content.is_in(published)
            if changed:
                made = _stage_and_audit(connection, policy, content, made, published, accept_moves)
                published = revisions.swap(connection, made, timeout, promote)
            with connection.begin():
                if not changed:
                    promote(connection)
                    publications.confirm(connection, published, made)
                    carry_over.mark_stale(connection, month)
                stale = [str(publication.rating_month) for publication in publications.stale(connection)]
        for version in content.promotes:
            model_card.write(settings, policy, model_registry.model(settings, version))
    return _summary(content) | {
        "changed": changed,
        "revision": published.revision,
        "publication_id": str(published.publication_id),
        "is_latest_month": published.is_latest_month,
        "promoted": list(content.promotes),
        "stale_months": stale,
    }


def _summary(content: "_Content") -> dict:
    return {
        "month": str(content.month),
        "basis": content.basis,
        "rows": content.rows,
        "content_sha256": content.sha256,
    }


def _promote(versions: Mapping[str, str], month: RatingMonth, connection: Connection) -> None:
    """The challengers that graded the month take over with it; months published after it keep the models they have."""
    for version, reason in versions.items():
        model_registry.promote_within(
            connection, version, "policy", from_month=month, reason=reason, later_months_keep_theirs=True
        )


class _Content:
    """The rows to publish, read from the lake as often as needed, and what they were made from."""

    def __init__(self, engine: Engine, lake: Lake, month: RatingMonth, basis: str, policy: Policy):
        self.month, self.basis = month, basis
        self.engine, self.files = engine, {}
        keys = {"rating_month": month, "basis": basis}
        self._manifests = {table.partition: lake.manifest(table.partition, **keys) for table in TABLES.values()}
        self._require_one_run()
        for partition in self._manifests:
            self.files[partition] = lake.files(partition, **keys)
            engine.bind_files(partition, self.files[partition])
        held = self._fetch("select * from indices limit 0").column_names
        indices = [name for name in sorted(policy.indices) if name in held]
        self._columns = {table.name: table.loaded(indices) for table in TABLES.values()}
        flagged = {name: policy.indices[name] for name in indices if f"{name}_missing" in held}
        self._missing_indices = f'{_missing_codes(flagged)} as "missing_indices"'

    def _require_one_run(self) -> None:
        """AuditError when another run of the month has come in between the steps of this one."""
        for partition, manifest in self._manifests.items():
            other = None
            if manifest["input_sha256"] != self._manifests["grades"]["input_sha256"]:
                other = "records than grades"
            for source, sha256 in manifest.get("made_from", {}).items():
                if self._manifests[source]["sha256"] != sha256:
                    other = f"{source} than are there now"
            if other:
                raise AuditError(
                    f"{self.month} is not published, readers keep what they see: {partition} were made from other "
                    f"{other}: run every step from compute_indices on again"
                )

    @property
    def rows(self) -> int:
        return self._manifests["grades"]["rows"]

    @property
    def promotes(self) -> dict[str, str]:
        """The models that take over with the month, and why."""
        return self._manifests["grades"].get("promotes", {})

    @property
    def inputs(self) -> dict:
        """The partitions of facts that were read."""
        return self._manifests["indices"]["inputs"]

    @cached_property
    def hashes(self) -> dict[str, ContentHash]:
        """Of each table's values; file layout, row order, batches and threads do not enter them."""
        found = {}
        for table in TABLES:
            with closing(self.batches(table)) as batches:
                found[table] = ContentHash(batches.schema)
                for batch in batches:
                    found[table].update(batch)
        return found

    @property
    def sha256(self) -> str:
        """Hash of all tables' values."""
        lines = (f"{table} {content.hexdigest()}\n" for table, content in self.hashes.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def is_in(self, published: Publication | None) -> bool:
        """Whether a publication holds just this."""
        return published is not None and (published.basis, published.content_sha256) == (self.basis, self.sha256)

    def publication(self, connection: Connection, **run: str | None) -> Publication:
        """The month's next publication, as it would be."""
        grades, indices = self._manifests["grades"], self._manifests["indices"]
        recipe = Recipe(
            basis=self.basis,
            input_sha256=indices["input_sha256"],
            policy_sha256=grades["policy_sha256"],
            model_sha256=model_registry.models_sha256(connection, grades["model_versions"].values()),
            overrides_sha256=grades["overrides_sha256"],
            code_sha256=grades["code_sha256"],
            taken_over={
                what: sha256
                for manifest in self._manifests.values()
                for what, sha256 in manifest.get("taken_over", {}).items()
            },
        )
        return Publication(
            publication_id=uuid.uuid4(),
            rating_month=self.month,
            revision=publications.next_revision(connection, self.month),
            rows=self.rows,
            content_sha256=self.sha256,
            carried_sha256=self.hashes["credit_grades"].hexdigest("customer_id", "grade"),
            known_in=RatingMonth.parse(indices["known_in"]).first_day,
            model_versions=grades["model_versions"],
            model_decision=grades.get("model_decision", ""),
            previous_publication_id=grades["previous_publication_id"],
            recipe_sha256=recipe.sha256,
            **vars(recipe),
            **run,
        )

    def batches(self, table: str) -> pa.RecordBatchReader:
        """The rows of one of tables.TABLES by its key, without rating_month and publication_id."""
        declared = TABLES[table]
        selected = [f'cast("{name}" as {kind}) as "{name}"' for name, kind in self._columns[table].items()]
        if declared.has_indices:
            selected.append(self._missing_indices)
        query = f"select {', '.join(selected)} from {declared.partition} order by {', '.join(declared.key)}"
        return self.engine.batches(compose(query))

    def expected(self) -> Expected:
        """What the warehouse must hold once these rows are loaded."""
        return Expected(
            population=self._manifests["grades"]["population"],
            rows={table.name: self._manifests[table.partition]["rows"] for table in TABLES.values()},
            grades=customers_by_grade(self.engine),
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
        return self.engine.fetch(compose(query))


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


def _stage_and_audit(
    connection: Connection,
    policy: Policy,
    content: _Content,
    publication: Publication,
    published: Publication | None,
    accept_moves: bool,
) -> Publication:
    """All tables loaded, audited and ready to attach; when that fails they are gone. The publication with its moves."""
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
        if published is not None:
            customers, moved = moves(connection, month, staged["credit_grades"])
            beyond = _beyond_limit(customers, moved, policy)
            if beyond and not accept_moves:
                raise MovesError(f"{month} is not published, readers keep what they see: {beyond}")
            publication = replace(publication, moved=moved, moves_accepted=bool(beyond))
        side_by_side(connection, seal, staged)
    except (AuditError, MovesError):
        revisions.drop(connection, list(staged.values()))
        raise
    return publication


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


def _would_change(content: _Content, settings: Settings, policy: Policy) -> dict:
    """``difference`` of what is published and the content; ``stops``: why publishing it would take a person's word."""
    engine = content.engine
    with TemporaryDirectory(dir=settings.scratch_path) as folder:
        with transaction(settings) as connection:
            published = publications.current(connection, content.month)
        bind_revision(engine, "before", settings, published, Path(folder))
        engine.bind_files("after", content.files["grades"])
        found = difference(engine, policy)
    totals = found["totals"]
    return {
        "changed": not content.is_in(published),
        "published": published and {name: getattr(published, name) for name in ("revision", "basis", "rows")},
        "grades": customers_by_grade(engine),
        "stops": published and _beyond_limit(totals["customers"], totals["moved"], policy),
        **found,
    }
