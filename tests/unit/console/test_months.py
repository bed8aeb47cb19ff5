"""What one revision of a month changed against another."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.console import months
from pipeline.errors import NotPublishedError
from pipeline.warehouse.reader import reading
from pipeline.warehouse.tables import revision_changes
from tests.support.records.indices import OCTOBER


@pytest.fixture(scope="module")
def settings(console_warehouse):
    return reading(console_warehouse)


def test_what_was_counted_when_a_revision_was_published_is_what_its_rows_say(settings, policy, monkeypatch):
    kept = months.compare(settings, policy, OCTOBER, 1, 2)
    monkeypatch.setattr(revision_changes, "read", lambda *_: None)
    counted = months.compare(settings, policy, OCTOBER, 1, 2)
    assert kept == counted
    assert kept.found["totals"]["moved"] > 0


def test_it_is_shown_when_the_rows_of_the_replaced_revision_are_gone(settings, policy, monkeypatch):
    rows_removed_at = datetime(2026, 11, 29, tzinfo=UTC)
    first, second = (months.revisions_of(settings, OCTOBER)[at] for at in (1, 0))
    removed = [second, replace(first, rows_removed_at=rows_removed_at)]
    monkeypatch.setattr(months, "revisions_of", lambda *_: removed)
    assert months.compare(settings, policy, OCTOBER, 1, 2).found["migration"]
    with pytest.raises(NotPublishedError, match="has no revision 1 any more"):
        months.compare(settings, policy, OCTOBER, 2, 1)


def test_any_two_revisions_can_be_compared(settings, policy):
    there, back = (months.compare(settings, policy, OCTOBER, *pair).found for pair in ((1, 2), (2, 1)))
    for one, other in (("moved", "moved"), ("up", "down"), ("new", "gone")):
        assert there["totals"][one] == back["totals"][other]
        assert there["totals"][other] == back["totals"][one]
