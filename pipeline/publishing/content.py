"""What a month publishes: the rows of its tables in the lake, their hashes, and what they were made from."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipeline.engine import Engine
from pipeline.engine.queries import compose
from pipeline.errors import AuditError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.indices import Index
from pipeline.publishing.content_hash import ContentHash
from pipeline.publishing.fingerprint import Fingerprint
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.audit import Expected
from pipeline.warehouse.monthly_tables import TABLES, MonthlyTable, is_number, sql_type
from pipeline.warehouse.publications import Publication


class Content:
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
        self._columns = {table.name: table.columns(indices) for table in TABLES.values()}
        flagged = {name: policy.indices[name] for name in indices if f"{name}_missing" in held}
        self._missing_indices = f'{_missing_codes(flagged)} as "missing_indices"'
        self._hashed: dict[str, ContentHash] = {}

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
        """The models that the month's publication promotes, and why."""
        return self._manifests["grades"].get("promotes", {})

    @property
    def inputs(self) -> dict:
        """The partitions of facts that were read."""
        return self._manifests["indices"]["inputs"]

    @property
    def sha256(self) -> str:
        """Hash of all tables' values; file layout, row order, batches and threads do not enter it."""
        return hashlib.sha256("".join(f"{table} {self._hash(table)}\n" for table in TABLES).encode()).hexdigest()

    def _hash(self, table: str, *columns: str) -> str:
        """Of these columns of a table; without any, of all. The table is read for it unless it was already."""
        if table not in self._hashed:
            with closing(self.batches(table)) as batches:
                for _ in batches:
                    pass
        return self._hashed[table].hexdigest(*columns)

    def is_in(self, published: Publication | None) -> bool:
        """Whether a publication holds just this."""
        return published is not None and (published.basis, published.content_sha256) == (self.basis, self.sha256)

    def publication(self, connection: Connection, **run: Any) -> Publication:
        """The month's next publication, as it would be; what its rows are is for ``with_hashes`` to say."""
        grades, indices = self._manifests["grades"], self._manifests["indices"]
        fingerprint = Fingerprint(
            basis=self.basis,
            input_sha256=indices["input_sha256"],
            rating_policy_sha256=grades["rating_policy_sha256"],
            model_sha256=model_registry.models_sha256(connection, grades["model_versions"].values()),
            overrides_sha256=grades["overrides_sha256"],
            code_sha256=grades["code_sha256"],
            carried_over={
                what: sha256
                for manifest in self._manifests.values()
                for what, sha256 in manifest.get("carried_over", {}).items()
            },
        )
        return Publication(
            publication_id=uuid.uuid4(),
            rating_month=self.month,
            revision=publications.next_revision(connection, self.month),
            rows=self.rows,
            content_sha256="",
            known_in=RatingMonth.parse(indices["known_in"]).first_day,
            model_versions=grades["model_versions"],
            model_decision=grades.get("model_decision", ""),
            previous_publication_id=grades["previous_publication_id"],
            basis=fingerprint.basis,
            input_sha256=fingerprint.input_sha256,
            policy_sha256=grades["policy_sha256"],
            model_sha256=fingerprint.model_sha256,
            overrides_sha256=fingerprint.overrides_sha256,
            code_sha256=fingerprint.code_sha256,
            taken_over=dict(fingerprint.carried_over),
            recipe_sha256=fingerprint.sha256,
            **run,
        )

    def with_hashes(self, publication: Publication) -> Publication:
        """A publication of this, with the hashes of its rows."""
        carried = self._hash("credit_grades", "customer_id", "grade")
        return replace(publication, content_sha256=self.sha256, carried_sha256=carried)

    def batches(self, table: str) -> pa.RecordBatchReader:
        """The rows of one of tables.TABLES by its key, without rating_month and publication_id. Whoever reads them to
        their end for the first time has them hashed on the way."""
        declared = TABLES[table]
        selected = [f'cast("{name}" as {sql_type(kind)}) as "{name}"' for name, kind in self._columns[table].items()]
        if declared.has_indices:
            selected.append(self._missing_indices)
        order = "" if self._lies_in_order(declared) else f" order by {', '.join(declared.key)}"
        read = self.engine.batches(compose(f"select {', '.join(selected)} from {declared.partition}{order}"))
        if table in self._hashed:
            return read
        return pa.RecordBatchReader.from_batches(read.schema, self._hashing(table, read))

    def _hashing(self, table: str, read: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        found = ContentHash(read.schema)
        with closing(read):
            for batch in read:
                found.update(batch)
                yield batch
        self._hashed[table] = found

    def _lies_in_order(self, table: MonthlyTable) -> bool:
        """Whether the files have the rows by the key, as the steps write them: sorting costs more than reading."""
        if not self.engine.reads_in_order or len(table.key) > 1:
            return False
        with closing(self.engine.batches(compose(f"select {table.key[0]} from {table.partition}"))) as batches:
            return _ascend(batch.column(0) for batch in batches)

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


def _ascend(parts: Iterable[pa.StringArray]) -> bool:
    """Whether each value of a column that comes in parts is greater than the one before it."""
    last = None
    for part in parts:
        column = part if last is None else pa.concat_arrays([last, part])
        if not pc.all(pc.less(column[:-1], column[1:]), skip_nulls=False, min_count=0).as_py():
            return False
        last = column[-1:]
    return True


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
