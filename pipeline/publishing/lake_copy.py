"""A published month once more as Parquet, for warehouses other than PostgreSQL: policy publish.lake_copy.

    <lake>/published/credit_grades/rating_month=2026-10/part-0.parquet      the rows readers see, by customer
    <lake>/published/credit_grades/rating_month=2026-10/_contract.json      columns, types, meanings, key, revision
    <lake>/published/credit_grades/rating_month=2026-10/_manifest.json

Replaced whole with each revision. Tools that read Parquet pass over names that begin with an underscore.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text

from pipeline.errors import LakeError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.monthly_tables import TABLES
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

TABLE = "credit_grades"
COPY = f"published/{TABLE}"
CONTRACT = "_contract.json"


def ensure(settings: Settings, publication: Publication, *, anew: bool = False) -> bool:
    """Make the copy of what readers see of a month, unless it is there (``anew``: in any case); whether it was made.

    LakeError where the lake cannot be written; NotPublishedError where the rows were removed.
    """
    lake, month = Lake.of(settings), publication.rating_month
    if not anew and revision_of(lake, month) == str(publication.publication_id):
        return False
    with lake.writing(COPY, rating_month=month) as partition:
        rows = _write(settings, publication, partition.folder / "part-0.parquet")
        document = _contract(publication, _columns(settings))
        (partition.folder / CONTRACT).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        partition.manifest(
            rows=rows,
            publication_id=str(publication.publication_id),
            revision=publication.revision,
            content_sha256=publication.content_sha256,
        )
    return True


def revision_of(lake: Lake, month: RatingMonth) -> str | None:
    """The publication that the month's copy is of; None without a copy."""
    try:
        return lake.manifest(COPY, rating_month=month).get("publication_id")
    except LakeError:
        return None


def outdated(settings: Settings) -> Iterator[RatingMonth]:
    """Months whose copy is not of what readers see: the policy was changed in between."""
    lake = Lake.of(settings)
    with transaction(settings) as connection:
        current = {found.rating_month: str(found.publication_id) for found in publications.published(connection)}
    for month in lake.copies(COPY):
        if revision_of(lake, month) != current.get(month):
            yield month


def _write(settings: Settings, publication: Publication, path: Path) -> int:
    """The rows of the publication, by customer; the month is the folder's name. How many."""
    import pyarrow.parquet as pq

    number = 0
    with (
        revisions.rows(settings, publication, TABLE, TABLES[TABLE].schema.names, by="customer_id") as rows,
        pq.ParquetWriter(path, rows.schema, compression="zstd") as writer,
    ):
        for batch in rows:
            writer.write_batch(batch)
            number += batch.num_rows
    return number


def _columns(settings: Settings) -> list[dict[str, Any]]:
    with transaction(settings) as connection:
        found = connection.execute(
            text(statement("publications/described_columns")), {"name": f"rating.{TABLE}"}
        ).mappings()
        return [dict(row) for row in found if row["name"] in TABLES[TABLE].schema.names]


def _contract(publication: Publication, columns: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "table": TABLE,
        "rating_month": str(publication.rating_month),
        "revision": publication.revision,
        "basis": publication.basis,
        "rows": publication.rows,
        "content_sha256": publication.content_sha256,
        "partition": "rating_month",
        "key": ["rating_month", *TABLES[TABLE].key],
        "columns": columns,
    }
