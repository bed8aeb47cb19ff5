"""What is carried over to a month from the months published before it, and which months are stale.

A rating carries over the grades of the last month published before it, and the centroids of the customer groups of the
last month that has some. When a month is published anew, the later months that carried over what has changed are marked
stale in the same transaction. The mark is removed once they are rated again, or once what they carried over is back.
"""

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth
from pipeline.warehouse import publications
from pipeline.warehouse.tables import group_centroids

GRADES = "grades"
CENTROIDS = "centroids"


def carried_over(connection: Connection, month: RatingMonth) -> dict[str, str]:
    """The hash of the grades and of the centroids that a rating of the month would carry over now; empty where there
    are none."""
    return {
        GRADES: publications.carried_sha256(connection, month),
        CENTROIDS: group_centroids.sha256(group_centroids.centroids_before(connection, month)),
    }


def mark_stale(connection: Connection, month: RatingMonth) -> list[RatingMonth]:
    """Mark the month and the next published one as stale or not, now that the month is published or confirmed. Returns
    the later months that are stale.

    The next published one carries over its grades and its centroids.
    """
    found = []
    for later in _published(connection, month):
        then = publications.of_month(connection, later).taken_over
        now = carried_over(connection, later)
        is_stale = any(then.get(what, "") != sha256 for what, sha256 in now.items())
        connection.execute(
            text(
                "update ops.publications set stale_since = case when :is_stale then coalesce(stale_since, now()) end "
                "where rating_month = :month and superseded_at is null"
            ),
            {"is_stale": is_stale, "month": later.first_day},
        )
        found += [later] if is_stale and later != month else []
    return found


def _published(connection: Connection, month: RatingMonth) -> list[RatingMonth]:
    """The month, and the next one that is published."""
    rows = connection.execute(
        text(
            "select rating_month from ops.publications "
            "where superseded_at is null and rating_month >= :month order by rating_month limit 2"
        ),
        {"month": month.first_day},
    )
    return [RatingMonth.of(row.rating_month) for row in rows]
