"""Which revision of which month readers see: ops.publications."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction

if TYPE_CHECKING:
    import pyarrow as pa

RUN_KINDS = ("scheduled", "manual", "backfill", "command")


@dataclass(frozen=True)
class Publication:
    """A row of ops.publications; see the comments of its columns."""

    publication_id: uuid.UUID
    rating_month: RatingMonth
    revision: int
    basis: str
    rows: int
    content_sha256: str
    input_sha256: str
    policy_sha256: str
    model_sha256: str
    model_versions: dict[str, str]
    run_id: str
    run_kind: str
    model_decision: str = ""
    is_latest_month: bool | None = None
    published_at: datetime | None = None
    superseded_at: datetime | None = None
    stale_since: datetime | None = None


_COLUMNS = ", ".join(field.name for field in fields(Publication))


def current(connection: Connection, month: RatingMonth) -> Publication | None:
    """What readers see of a month."""
    return _one(connection, "rating_month = :month", month=month.first_day)


def latest(connection: Connection) -> Publication | None:
    """What readers see of the latest published month."""
    return _one(connection, "true")


def before(connection: Connection, month: RatingMonth) -> Publication | None:
    """What readers see of the last month published before this one."""
    return _one(connection, "rating_month < :month", month=month.first_day)


def _one(connection: Connection, condition: str, **parameters) -> Publication | None:
    row = connection.execute(
        text(
            f"select {_COLUMNS} from ops.publications where superseded_at is null and {condition} "
            "order by rating_month desc limit 1"
        ),
        parameters,
    ).one_or_none()
    return row and Publication(**{**row._mapping, "rating_month": RatingMonth.of(row.rating_month)})


@contextmanager
def published_grades(
    settings: Settings, month: RatingMonth, columns: tuple[str, ...] = ("customer_id", "grade")
) -> Iterator["pa.RecordBatchReader"]:
    """What readers see of a month, as a stream of these columns; no rows where nothing is published."""
    query = f"select {', '.join(columns)} from rating.credit_grades where rating_month = $1"
    with bulk_transaction(settings) as connection, connection.cursor() as cursor:
        cursor.execute(query, [month.first_day])
        yield cursor.fetch_record_batch()


def next_revision(connection: Connection, month: RatingMonth) -> int:
    """1 for a month that was never published."""
    query = text("select coalesce(max(revision), 0) + 1 from ops.publications where rating_month = :month")
    return connection.execute(query, {"month": month.first_day}).scalar_one()


def record(connection: Connection, publication: Publication) -> Publication:
    """Write a publication and supersede the month's current one; its place in time is the transaction's.

    ``is_latest_month`` and ``published_at`` are found here; the publication comes back with them.
    """
    values = {
        field.name: getattr(publication, field.name)
        for field in fields(Publication)
        if field.name not in ("is_latest_month", "published_at", "superseded_at", "stale_since")
    }
    values["rating_month"] = publication.rating_month.first_day
    values["model_versions"] = json.dumps(publication.model_versions, sort_keys=True)
    connection.execute(
        text(
            "update ops.publications set superseded_at = now() "
            "where rating_month = :rating_month and superseded_at is null"
        ),
        values,
    )
    names = ", ".join(values)
    bound = ", ".join(f":{name}" for name in values)
    connection.execute(
        text(
            f"insert into ops.publications ({names}, is_latest_month) "
            f"select {bound}, not exists (select from ops.publications where rating_month > :rating_month)"
        ),
        values,
    )
    return current(connection, publication.rating_month)
