"""Which months are stale: those that carried over what is no longer what is published."""

import uuid
from dataclasses import replace

import pytest

from pipeline.month import RatingMonth
from pipeline.warehouse import carry_over, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.tables import group_centroids

JUNE = RatingMonth(2026, 6)


@pytest.fixture
def publish(settings):
    """Publish a month that carries something, built on what is published now or on what is given; what is stale."""

    def run(month, carried, **taken_over):
        with transaction(settings) as connection:
            made = Publication(
                publication_id=uuid.uuid4(),
                rating_month=month,
                revision=publications.next_revision(connection, month),
                basis="as_known_then",
                rows=1,
                run_id="t",
                run_kind="command",
                model_versions={},
                carried_sha256=carried,
                taken_over=carry_over.carried_over(connection, month) | taken_over,
                **dict.fromkeys(("content_sha256", "input_sha256", "policy_sha256", "model_sha256"), "x"),
            )
            publications.record(connection, made)
            carry_over.mark_stale(connection, month)
        return stale()

    def stale():
        with transaction(settings) as connection:
            return [one.rating_month for one in publications.stale(connection)]

    return run


def test_the_month_after_is_stale_when_what_it_took_over_changes_and_only_then(publish):
    for month in (JUNE, JUNE + 1, JUNE + 2):
        assert publish(month, "a") == []
    assert publish(JUNE, "a") == []
    assert publish(JUNE, "b") == [JUNE + 1]
    assert publish(JUNE + 1, "a") == []


def test_a_change_goes_on_for_as_long_as_it_makes_a_difference(publish):
    for month in (JUNE, JUNE + 1, JUNE + 2):
        publish(month, "a")
    publish(JUNE, "b")
    assert publish(JUNE + 1, "b") == [JUNE + 2]
    assert publish(JUNE + 2, "b") == []


def test_the_mark_goes_when_what_was_carried_over_is_back(publish):
    publish(JUNE, "a")
    publish(JUNE + 1, "a")
    assert publish(JUNE, "b") == [JUNE + 1]
    assert publish(JUNE, "a") == []


def test_a_month_published_before_an_earlier_one_is_stale_once_that_is_there(publish):
    assert publish(JUNE + 1, "a") == []
    assert publish(JUNE - 3, "a") == [JUNE + 1]
    assert publish(JUNE, "b") == [JUNE + 1]


def test_a_month_takes_over_from_the_last_one_published_whatever_was_skipped(publish):
    publish(JUNE, "a")
    assert publish(JUNE + 4, "a") == []
    assert publish(JUNE, "b") == [JUNE + 4]
    assert publish(JUNE, "a") == []


def test_a_month_that_was_overtaken_while_it_was_rated_is_stale_at_once(publish):
    publish(JUNE, "b")
    assert publish(JUNE + 1, "a", grades="a") == [JUNE + 1]


def test_since_when_a_month_is_stale_does_not_move(publish, sql):
    publish(JUNE, "a")
    publish(JUNE + 1, "a")
    publish(JUNE, "b")
    [(since,)] = sql("select stale_since from ops.publications where stale_since is not null")
    publish(JUNE, "c")
    assert sql("select stale_since from ops.publications where stale_since is not null") == [(since,)]


def test_a_confirmed_month_is_built_on_what_the_run_found(publish, settings):
    publish(JUNE, "a")
    publish(JUNE + 1, "a")
    publish(JUNE, "b")
    with transaction(settings) as connection:
        published = publications.current(connection, JUNE + 1)
        found = replace(published, taken_over=carry_over.carried_over(connection, JUNE + 1), recipe_sha256="new")
        publications.confirm(connection, published, found)
        carry_over.mark_stale(connection, JUNE + 1)
        confirmed = publications.current(connection, JUNE + 1)
    assert (confirmed.stale_since, confirmed.recipe_sha256, confirmed.revision) == (None, "new", 1)


def test_centroids_are_carried_over_from_the_last_month_that_has_some(publish, settings, sql):
    publish(JUNE, "a")
    publish(JUNE + 3, "a")
    sql(
        "create table rating.group_profiles_2026_06 partition of rating.group_profiles "
        "for values from ('2026-06-01') to ('2026-07-01')"
    )
    sql(
        "insert into rating.group_profiles values "
        "('2026-06-01', 'value', 'high', 1, 1, '', '{}', '{\"revenue\": 1.5}', '{}', gen_random_uuid())"
    )
    with transaction(settings) as connection:
        assert carry_over.carried_over(connection, JUNE + 3)["centroids"] == group_centroids.sha256(
            {"value": {"high": {"revenue": 1.5}}}
        )
    assert publish(JUNE, "a") == [JUNE + 3]
