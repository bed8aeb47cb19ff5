"""What is published for a month, as CSV, as JSON, or the first rows of it."""

from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.engine.parquet import literal
from pipeline.errors import ConfigError, NotPublishedError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.text import spreadsheet_safe
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.migrations import migrate
from pipeline.warehouse.publications import Publication

_COLUMNS = (
    *("customer_id", "segment", "region", "grade", "score", "default_probability", "previous_grade", "notch_change"),
    *("rating_basis", "model_grade", "grade_rule", "reason_1", "reason_2", "reason_3", "reason_4", "model_version"),
)


def export_grades(
    settings: Settings, month: RatingMonth, output: str, target: Path | None, *, revision: int | None = None
) -> None:
    """Write the published grades by customer_id, streamed, as ``csv`` or ``json``.

    ``target`` None is standard output; ``revision`` None is what readers see.
    """
    with _published(settings, month, revision) as (rows, _):
        _copy(rows, output, target)


def first_grades(
    settings: Settings, month: RatingMonth, number: int, *, revision: int | None = None
) -> tuple[list[dict], int]:
    """The first grades by customer_id, and how many there are."""
    with _published(settings, month, revision) as (rows, publication):
        return list(islice((row for batch in rows for row in batch.to_pylist()), number)), publication.rows


@contextmanager
def _published(settings: Settings, month: RatingMonth, revision: int | None):
    migrate(settings)
    publication = _publication(settings, month, revision)
    with revisions.rows(settings, publication, "credit_grades", _COLUMNS, by="customer_id") as rows:
        yield rows, publication


def _publication(settings: Settings, month: RatingMonth, revision: int | None) -> Publication:
    with transaction(settings) as connection:
        if revision is None:
            found = publications.current(connection, month)
        else:
            found = next((p for p in publications.revisions_of(connection, month) if p.revision == revision), None)
    if found is None and revision is not None:
        raise NotPublishedError(f"{month} has no revision {revision}: report.publications lists those it has")
    if found is None:
        raise NotPublishedError(f"nothing is published for {month}: gridgrade rate {month} rates it")
    return found


def _copy(rows, output: str, target: Path | None) -> None:
    options = "format json, array true" if output == "json" else "format csv, header true"
    try:
        with duckdb.connect() as database:
            database.register("rows", _spreadsheet_safe(rows) if output == "csv" else rows)
            database.execute(f"copy rows to {literal(target or '/dev/stdout')} ({options})")
    except duckdb.IOException as error:
        if target is None and "Broken pipe" in str(error):
            return  # the reader, head say, has seen enough
        raise _unwritable(target, " ".join(str(error).split())) from None


def _spreadsheet_safe(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The rows, their texts as they may stand in a CSV file."""

    def safe(column: pa.Array) -> pa.Array:
        if not pa.types.is_string(column.type):
            return column
        texts = column.dictionary_encode()
        return pa.array(map(spreadsheet_safe, texts.dictionary.to_pylist()), pa.string()).take(texts.indices)

    batches = (pa.record_batch([safe(column) for column in batch.columns], rows.schema) for batch in rows)
    return pa.RecordBatchReader.from_batches(rows.schema, batches)


def _unwritable(target: Path | None, reason: str | None) -> ConfigError:
    return ConfigError(f"{target or 'standard output'} cannot be written: {reason}; choose another file with --out")
