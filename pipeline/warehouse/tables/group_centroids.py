"""Where the customer groups of published months lay: all that a month's groups take from an earlier month."""

import hashlib
import json

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth

Centroids = dict[str, dict[str, float]]


def centroids_before(connection: Connection, month: RatingMonth) -> dict[str, Centroids]:
    """By aspect and group, the centroids that readers see of the last month before this one that has any."""
    query = text(
        "select aspect, group_name, centroid from rating.group_profiles as p where rating_month = ("
        "select max(b.rating_month) from rating.group_profiles as b "
        "where b.aspect = p.aspect and b.rating_month < :month)"
    )
    found: dict[str, Centroids] = {}
    for aspect, name, centroid in connection.execute(query, {"month": month.first_day}):
        found.setdefault(aspect, {})[name] = centroid
    return found


def sha256(centroids: dict[str, Centroids]) -> str:
    """Empty where there are none."""
    return hashlib.sha256(json.dumps(centroids, sort_keys=True).encode()).hexdigest() if centroids else ""
