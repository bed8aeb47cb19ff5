"""Which revision of which month readers see, and what each was made from: ops.publications."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, text

from pipeline.errors import NotPublishedError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction, transaction

if TYPE_CHECKING:
    import pyarrow as pa

RUN_KINDS = ("scheduled", "manual", "backfill", "command")
_FOUND = ("is_latest_month", "published_at", "superseded_at", "stale_since", "followed_up_at", "rows_removed_at")
_JSON = ("model_versions", "taken_over", "table_hashes")


@dataclass(frozen=True)
class Publication:
    """A row of ops.publications; see the comments of its columns. Those from ``is_latest_month`` on are found here."""

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
    published_by: str | None = None
    known_in: date | None = None
    code_sha256: str | None = None
    overrides_sha256: str | None = None
    carried_sha256: str | None = None
    previous_publication_id: uuid.UUID | None = None
    taken_over: dict[str, str] = field(default_factory=dict)
    recipe_sha256: str | None = None
    table_hashes: dict[str, dict[str, Any]] = field(default_factory=dict)
    moved: int | None = None
    moves_accepted: bool | None = None
    is_latest_month: bool | None = None
    published_at: datetime | None = None
    superseded_at: datetime | None = None
    stale_since: datetime | None = None
    followed_up_at: datetime | None = None
    rows_removed_at: datetime | None = None


_COLUMNS = ", ".join(field.name for field in fields(Publication))


def current(connection: Connection, month: RatingMonth) -> Publication | None:
    """What readers see of a month."""
    return _one(connection, "superseded_at is null and rating_month = :month", month=month.first_day)


def of_month(connection: Connection, month: RatingMonth) -> Publication:
    """``current`` of a month that is known to be published; NotPublishedError where it is not."""
    found = current(connection, month)
    if found is None:
        raise NotPublishedError(f"{month} is not published: gridgrade rate {month}")
    return found


def latest(connection: Connection) -> Publication | None:
    """What readers see of the latest published month."""
    return _one(connection, "superseded_at is null")


def before(connection: Connection, month: RatingMonth) -> Publication | None:
    """What readers see of the last month published before this one."""
    return _one(connection, "superseded_at is null and rating_month < :month", month=month.first_day)


def revisions_of(connection: Connection, month: RatingMonth) -> list[Publication]:
    """Every revision of a month, the newest first."""
    return _all(connection, "rating_month = :month", month=month.first_day)[::-1]


def published(connection: Connection) -> list[Publication]:
    """What readers see of every month, in chronological order."""
    return _all(connection, "superseded_at is null")


def stale(connection: Connection) -> list[Publication]:
    """The publications of stale months: they carried over what has changed since. In chronological order."""
    return _all(connection, "superseded_at is null and stale_since is not null")


def replaced(connection: Connection) -> list[Publication]:
    """The revisions that readers no longer see, by month and revision."""
    return _all(connection, "superseded_at is not null")


def _one(connection: Connection, condition: str, **parameters: Any) -> Publication | None:
    query = f"select {_COLUMNS} from ops.publications where {condition} order by rating_month desc limit 1"
    row = connection.execute(text(query), parameters).one_or_none()
    return None if row is None else _publication(row)


def _all(connection: Connection, condition: str, **parameters: Any) -> list[Publication]:
    query = f"select {_COLUMNS} from ops.publications where {condition} order by rating_month, revision"
    return [_publication(row) for row in connection.execute(text(query), parameters)]


def _publication(row: Row) -> Publication:
    values = {**row._mapping, "rating_month": RatingMonth.of(row.rating_month)}
    return Publication(**{**values, **{name: values[name] or {} for name in ("taken_over", "table_hashes")}})


@dataclass(frozen=True)
class Carried:
    """What a month carries over from the last one published before it: the grades as a stream of (customer_id, grade),
    and their hash. Where none is published before it: no publication, no rows, and an empty hash.
    """

    publication_id: str | None
    sha256: str
    grades: "pa.RecordBatchReader"


@contextmanager
def carried(settings: Settings, month: RatingMonth) -> Iterator[Carried]:
    """The grades of the last month published before this one, for this one to carry over; all of one revision."""
    with bulk_transaction(settings) as connection, connection.cursor() as cursor:
        cursor.execute("lock table rating.credit_grades in access share mode")  # no swap until the stream is read
        cursor.execute(f"select cast(publication_id as text), rating_month, {_CARRIED.format('$1')}", [month.first_day])
        publication_id, carrying, sha256 = cursor.fetchone() or (None, None, "")
        cursor.execute("select customer_id, grade from rating.credit_grades where rating_month = $1", [carrying])
        yield Carried(publication_id, sha256, cursor.fetch_record_batch())


def carried_sha256(connection: Connection, month: RatingMonth) -> str:
    """The hash alone."""
    query = text(f"select {_CARRIED.format(':month')}")
    return connection.execute(query, {"month": month.first_day}).scalar() or ""


# A publication older than that hash says what it carries by all that it holds.
_CARRIED = (
    "coalesce(carried_sha256, content_sha256) from ops.publications "
    "where superseded_at is null and rating_month < {} order by rating_month desc limit 1"
)


def customers_by_grade(connection: Connection, month: RatingMonth) -> dict[str, int]:
    """Of what readers see of a month."""
    query = text("select grade, count(*) from rating.credit_grades where rating_month = :month group by grade")
    return dict(connection.execute(query, {"month": month.first_day}).all())


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

    What is found here (``is_latest_month``, ``published_at``) comes back with it.
    """
    _alone(connection)
    values = {f.name: getattr(publication, f.name) for f in fields(Publication) if f.name not in _FOUND}
    values["rating_month"] = publication.rating_month.first_day
    values |= {name: json.dumps(values[name], sort_keys=True) for name in _JSON}
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
            f"insert into ops.publications ({names}, confirmed_at, is_latest_month) "
            f"select {bound}, now(), not exists (select from ops.publications where rating_month > :rating_month)"
        ),
        values,
    )
    return of_month(connection, publication.rating_month)


def confirm(connection: Connection, published: Publication, fresh: Publication) -> None:
    """Record that rating the month again gave the published content; ``fresh`` has the new hashes, and no rows."""
    _alone(connection)
    connection.execute(
        text(
            "update ops.publications set confirmed_at = now(), recipe_sha256 = :recipe_sha256, "
            "input_sha256 = :input_sha256, "
            "taken_over = cast(:taken_over as jsonb), previous_publication_id = :previous_publication_id "
            "where publication_id = :publication_id"
        ),
        {
            "publication_id": published.publication_id,
            "recipe_sha256": fresh.recipe_sha256,
            "input_sha256": fresh.input_sha256,
            "taken_over": json.dumps(fresh.taken_over, sort_keys=True),
            "previous_publication_id": fresh.previous_publication_id,
        },
    )


def _alone(connection: Connection) -> None:
    """Lock publications for other writers until the transaction ends, so that no stale month is missed."""
    connection.execute(text("lock table ops.publications in share row exclusive mode"))


def record_follow_up(settings: Settings, publication_id: uuid.UUID | str) -> None:
    """Record that the actions of a publication were decided. Without that a month is not up to date."""
    with transaction(settings) as connection:
        connection.execute(
            text(
                "update ops.publications set followed_up_at = coalesce(followed_up_at, now()) "
                "where publication_id = cast(:id as uuid)"
            ),
            {"id": str(publication_id)},
        )


def record_removal(connection: Connection, publication_id: uuid.UUID) -> None:
    """Note that the rows of a replaced revision are gone."""
    connection.execute(
        text("update ops.publications set rows_removed_at = now() where publication_id = :id"), {"id": publication_id}
    )


def record_origin(
    connection: Connection, publication: Publication, policy: dict[str, Any], partitions: dict[str, Any]
) -> None:
    """Keep the policy and the names of the lake's partitions that a publication was made from, each once."""
    for table, key, column, sha256, document in (
        ("policies", "policy_sha256", "document", publication.policy_sha256, policy),
        ("inputs", "input_sha256", "partitions", publication.input_sha256, partitions),
    ):
        connection.execute(
            text(
                f"insert into ops.{table} ({key}, {column}) values (:sha256, cast(:document as jsonb)) "
                f"on conflict ({key}) do nothing"
            ),
            {"sha256": sha256, "document": json.dumps(document, sort_keys=True)},
        )
