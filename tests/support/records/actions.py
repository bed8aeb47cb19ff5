"""Bills and payments straight into the lake, and months published of no grades: what a service measure starts from."""

import uuid

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.lake import QUARANTINE, Lake
from pipeline.month import RatingMonth
from pipeline.source.write import arrow_schema
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication


class Utility:
    """A lake and the publications of a warehouse."""

    def __init__(self, settings):
        self.settings = settings
        self._lake = Lake(settings.lake_path)

    def anew(self) -> "Utility":
        """The same warehouse, and another lake with nothing in it."""
        lake = self.settings.home / f"lake-{uuid.uuid4()}"
        return Utility(self.settings.model_copy(update={"lake": lake}))

    def record(self, first: RatingMonth, last: RatingMonth, bills: list[dict], payments: list[dict]) -> None:
        """Each row into the partition of the month it was recorded in, with nothing in quarantine."""
        for month in RatingMonth.span(first, last):
            self._partition("customers", [], snapshot_month=month)
            for table, rows in (("bills", bills), ("payments", payments)):
                recorded = [row for row in rows if RatingMonth.of(row["recorded_at"]) == month]
                self._partition(table, recorded, recorded_month=month)

    def _partition(self, table, rows, **key):
        schema = pa.schema([*arrow_schema(table), ("_wrong_types", pa.string()), ("_raw", pa.string())])
        with self._lake.writing(table, **key) as partition:
            pq.write_table(pa.Table.from_pylist(rows, schema), partition.folder / "part-0.parquet")
            partition.manifest(rows=len(rows))
        with self._lake.writing(QUARANTINE + table, **key) as partition:
            partition.manifest(rows=0)

    def publish(self, *months: RatingMonth, run_kind="scheduled", basis="as_known_then") -> None:
        hashes = {f"{name}_sha256": "0" for name in ("content", "input", "policy", "model")}
        run = {"rows": 0, "model_versions": {}, "run_id": "test", "run_kind": run_kind, "basis": basis}
        with transaction(self.settings) as connection:
            for month in months:
                revision = publications.next_revision(connection, month)
                publication = Publication(uuid.uuid4(), month, revision=revision, **run, **hashes)
                publications.record(connection, publication)
