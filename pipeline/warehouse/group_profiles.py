"""Where the customer groups of published months lay: all that a month's groups take from an earlier month."""

from sqlalchemy import text

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction

Centroids = dict[str, dict[str, float]]


def centroids_before(settings: Settings, month: RatingMonth) -> dict[str, Centroids]:
    """By aspect and group, the centroids that readers see of the last month before this one that has any."""
    query = text(
        "select aspect, group_name, centroid from rating.group_profiles as p where rating_month = ("
        "select max(b.rating_month) from rating.group_profiles as b "
        "where b.aspect = p.aspect and b.rating_month < :month)"
    )
    found: dict[str, Centroids] = {}
    with transaction(settings) as connection:
        for aspect, name, centroid in connection.execute(query, {"month": month.first_day}):
            found.setdefault(aspect, {})[name] = centroid
    return found
