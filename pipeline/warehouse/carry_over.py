"""What a month takes over from the months published before it, and which months were built on something else since.

A rating takes over the grades published for the month before, and the centroids of the customer groups of the last
month that has some. When a month is published anew, those after it that took over what has changed are marked stale in
the same transaction; the mark goes once they were rated again, or what they took over is back.
"""

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth
from pipeline.warehouse import publications
from pipeline.warehouse.tables import group_centroids

GRADES = "grades"
CENTROIDS = "centroids"


def taken_over(connection: Connection, month: RatingMonth) -> dict[str, str]:
    """By what it is, the hash of what a rating of the month would take over now; empty where there is nothing."""
    return {
        GRADES: publications.carried_sha256(connection, month - 1),
        CENTROIDS: group_centroids.sha256(group_centroids.centroids_before(connection, month)),
    }


def mark_stale(connection: Connection, month: RatingMonth) -> list[RatingMonth]:
    """Mark what is stale of the month and of those after it, now that it is published or confirmed, and take the mark
    from what is not. Returns the months after it that are stale.

    The month after may have taken over from it, and so may the next one that is published.
    """
    found = []
    for later in _published(connection, month):
        taken = publications.of_month(connection, later).taken_over
        now = taken_over(connection, later)
        is_stale = any(taken.get(what, "") != sha256 for what, sha256 in now.items())
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
