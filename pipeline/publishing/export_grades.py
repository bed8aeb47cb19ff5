"""``gridgrade grades``: what is published for a month, as a table, CSV or JSON."""

from itertools import islice
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from pipeline.errors import ConfigError, NotPublishedError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.migrations import migrate
from pipeline.warehouse.publications import Publication

SHOWN_ROWS = 20
_COLUMNS = (
    *("customer_id", "segment", "region", "grade", "score", "default_probability", "previous_grade", "notch_change"),
    *("rating_basis", "model_grade", "grade_rule", "reason_1", "reason_2", "reason_3", "reason_4", "model_version"),
)


def export_grades(
    settings: Settings, month: RatingMonth, output: str, target: Path | None, *, revision: int | None = None
) -> None:
    """Write the published grades by customer_id, streamed: ``csv`` or ``json`` whole, ``table`` its first rows.

    ``target`` None is standard output; ``revision`` None is what readers see.
    """
    migrate(settings)
    publication = _publication(settings, month, revision)
    with revisions.rows(settings, publication, "credit_grades", _COLUMNS, by="customer_id") as rows:
        if output == "table":
            shown = list(islice((row for batch in rows for row in batch.to_pylist()), SHOWN_ROWS))
            _show(shown, publication.rows, month, target)
        else:
            _copy(rows, output, target)


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
    path = str(target or "/dev/stdout").replace("'", "''")
    try:
        with duckdb.connect() as database:
            database.register("rows", rows)
            database.execute(f"copy rows to '{path}' ({options})")
    except duckdb.IOException as error:
        if target is None and "Broken pipe" in str(error):
            return  # the reader, head say, has seen enough
        raise _unwritable(target, " ".join(str(error).split())) from None


def _show(rows: list[dict], published: int, month: RatingMonth, target: Path | None) -> None:
    table = Table("customer", "segment", "grade", "score", "default", "before", "basis", "reasons", title=f"{month}")
    for row in rows:
        reasons = [row[f"reason_{position}"] for position in range(1, 5)]
        table.add_row(
            row["customer_id"],
            row["segment"],
            row["grade"],
            f"{row['score']:.0f}",
            f"{row['default_probability']:.2%}",
            row["previous_grade"] or "",
            row["grade_rule"] or row["rating_basis"],
            " ".join(reason for reason in reasons if reason),
        )
    if published > len(rows):
        table.caption = f"{len(rows)} of {published:,} customers; --format csv gives all"
    if target is None:
        Console().print(table)
    else:
        try:
            with target.open("w", encoding="utf-8") as file:
                Console(file=file, width=120).print(table)
        except OSError as error:
            raise _unwritable(target, error.strerror) from None


def _unwritable(target: Path | None, reason: str | None) -> ConfigError:
    return ConfigError(f"{target or 'standard output'} cannot be written: {reason}; choose another file with --out")
