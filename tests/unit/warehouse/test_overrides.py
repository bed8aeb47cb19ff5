"""Overrides: entered, revoked, and in force for a month as it was known then and as it is known now."""

from datetime import UTC, datetime

import pytest

from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.warehouse import overrides

OCTOBER = RatingMonth(2026, 10)


@pytest.fixture
def enter(settings, policy, sql):
    """Enter an override of customer C1 as if on the given day."""

    def run(on: str, **changed):
        asked = {
            "customer_id": "C1",
            "kind": "override",
            "grade": "A",
            "reason": "pays by hand",
            "created_by": "ana",
            "first": OCTOBER - 5,
            "last": None,
        }
        entered = overrides.add(settings, policy, **{**asked, **changed})
        sql("update ops.rating_overrides set created_at = %s where override_id = %s", on, entered.override_id)
        return entered

    return run


@pytest.fixture
def grades(settings):
    """The grades in force for a month, in the order they were entered; as known at its cut-off, or now."""

    def run(month=OCTOBER, *, now=False):
        found = overrides.in_force(settings, month, None if now else month.cutoff("UTC"))
        return [override.grade for override in found]

    return run


def test_an_override_holds_in_the_months_it_was_entered_for(enter, grades):
    enter("2026-01-01Z", grade="B", first=OCTOBER - 1, last=OCTOBER)
    enter("2026-01-02Z", grade="C", first=OCTOBER)
    assert [grades(OCTOBER + months) for months in (-2, -1, 0, 1)] == [[], ["B"], ["B", "C"], ["C"]]


def test_a_month_knows_what_was_entered_before_its_cutoff(enter, grades):
    enter("2026-10-31 23:59Z", grade="B")
    enter("2026-11-01 00:00Z", grade="C")
    assert grades() == ["B"]
    assert grades(now=True) == ["B", "C"]


def test_what_is_revoked_later_was_in_force_then(enter, grades, settings, sql):
    entered = enter("2026-03-01Z")
    ended = overrides.end(settings, str(entered.override_id), "ben")
    assert (ended.revoked_by, ended.revoked_at is not None) == ("ben", True)
    sql("update ops.rating_overrides set revoked_at = '2026-10-10Z'")
    assert [grades(OCTOBER - 1), grades(), grades(now=True)] == [["A"], [], []]
    sql("update ops.rating_overrides set revoked_at = '2026-11-01Z'")
    assert [grades(), grades(OCTOBER + 1)] == [["A"], []]


def test_what_is_not_in_force_cannot_be_ended(enter, settings):
    entered = enter("2026-03-01Z")
    overrides.end(settings, str(entered.override_id).upper(), "ben")
    for unknown in (str(entered.override_id), "no-such-id", "' or true --"):
        with pytest.raises(ConfigError, match="is not in force: gridgrade override list"):
            overrides.end(settings, unknown, "ben")


REFUSED = {
    "'E' is not a grade: choose AAA, AA": dict(grade="E"),
    "2026-11 is after 2026-10": dict(first=OCTOBER + 1, last=OCTOBER),
    "say why": dict(reason=" "),
    "say who": dict(created_by=""),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_an_override_that_says_too_little_is_refused(enter, settings, fault):
    with pytest.raises(ConfigError, match=f"^override of C1: {fault}"):
        enter("2026-01-01Z", **REFUSED[fault])
    assert overrides.listed(settings) == []


def test_the_hash_is_of_what_they_say_about_grades(enter, settings):
    now = datetime.now(UTC)
    assert overrides.sha256(overrides.in_force(settings, OCTOBER, now)) == overrides.sha256([])
    enter("2026-01-01Z")
    first = overrides.in_force(settings, OCTOBER, now)
    enter("2026-01-02Z", customer_id="C2")
    both = overrides.in_force(settings, OCTOBER, now)
    assert len({overrides.sha256(found) for found in ([], first, both, both[1:])}) == 4
    assert overrides.listed(settings) == both[::-1]
