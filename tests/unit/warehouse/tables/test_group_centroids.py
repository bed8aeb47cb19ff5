"""What a month takes from an earlier month's groups: the last centroids published before it, aspect by aspect."""

import uuid

import pytest

from pipeline.month import RatingMonth
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.tables.group_centroids import centroids_before

AUGUST = RatingMonth(2026, 8)


def before(settings, month):
    with transaction(settings) as connection:
        return centroids_before(connection, month)


@pytest.fixture
def lay(sql):
    """``lay(month, value={...})``: the centroids of a month by aspect and group."""

    def run(month, **aspects):
        first, following = month.first_day, (month + 1).first_day
        sql(
            f"create table rating.group_profiles_{month.year}_{month.month:02} partition of rating.group_profiles "
            f"for values from ('{first}') to ('{following}')"
        )
        for aspect, groups in aspects.items():
            for name, centroid in groups.items():
                sql(
                    "insert into rating.group_profiles values (%s, %s, %s, 1, 1, '', '{}', %s, '{}', %s)",
                    *(first, aspect, name, centroid, uuid.uuid4()),
                )

    return run


def test_the_last_month_before_that_has_groups_counts(settings, lay):
    lay(AUGUST, value={"high": '{"revenue": 9}', "low": '{"revenue": 0.30000000000000004}'}, demand={"all": "{}"})
    lay(AUGUST + 1)
    lay(AUGUST + 2, value={"high": '{"revenue": 8}'})
    assert before(settings, AUGUST) == {}
    of_august = {"value": {"high": {"revenue": 9}, "low": {"revenue": 0.1 + 0.2}}, "demand": {"all": {}}}
    assert before(settings, AUGUST + 1) == of_august
    assert before(settings, AUGUST + 2) == of_august
    later = before(settings, AUGUST + 9)
    assert later == {"value": {"high": {"revenue": 8}}, "demand": {"all": {}}}
