"""Retention of the warehouse's rows: old and finished ones go in batches; what is open, due or referred to stays."""

from datetime import UTC, datetime

import pytest

from pipeline.errors import ConfigError
from pipeline.lake import Lake
from pipeline.maintenance import row_retention
from pipeline.maintenance.retention import clean
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from tests.support.outbox import House
from tests.support.records.lake import fill_lake, tables

NEWEST = RatingMonth(2026, 10)
OLD, KEPT = NEWEST - 24, NEWEST - 23
LONG_AGO = datetime(2024, 10, 15, tzinfo=UTC)
MONTHS = {
    "repeatable_months": 1,
    "actions_months": 24,
    "events_months": 24,
    "validation_months": 24,
    "quarantine_months": 24,
    "inputs_months": 1,
    "min_age_days": 7,
}


@pytest.fixture
def old(house, tmp_path) -> House:
    """An outbox whose newest month is NEWEST, under a policy that keeps 24 months of its rows."""
    document = house.policy.model_dump(mode="json")
    policy = Policy(**document | {"retention": document["retention"] | MONTHS})
    lake = Lake(tmp_path / "lake")
    fill_lake(lake, tables(customers=[]), NEWEST)
    kept = House(house.settings.model_copy(update={"lake": lake.root}), policy, house.connections)
    kept.sql("truncate ops.validation_results, ops.quarantine, ops.inputs")
    kept.publish(month=NEWEST)
    return kept


def action(house, name: str, status="acknowledged", month=OLD, updated_at=LONG_AGO, **more) -> str:
    """An action for a customer of that name; its id."""
    row = {
        "customer_id": name,
        "action_type": "visit",
        "status": status,
        "rating_month": month.first_day,
        "updated_at": updated_at,
        "reason": "because",
        **more,
    }
    marks = ", ".join(["%s"] * len(row))
    [(made,)] = house.sql(
        f"insert into ops.service_actions (action_id, {', '.join(row)}) values (gen_random_uuid(), {marks}) "
        "returning action_id::text",
        *row.values(),
    )
    house.sql("update ops.service_action_events set changed_at = %s", LONG_AGO)
    return made


def left(house) -> set[str]:
    return {name for (name,) in house.sql("select customer_id from ops.service_actions")}


def gone(found) -> dict[str, int]:
    """How many rows of each table are no longer kept."""
    return {one.name: one.rows for one in found if one.kind == "rows"}


def test_what_is_old_and_finished_goes_and_what_is_open_stays(old):
    for status in ("acknowledged", "suppressed", "failed", "proposed", "approved"):
        action(old, status, status)
    action(old, "blocked", "blocked", blocked_by="dispute")
    action(old, "queued", "dispatched", channel="queue")
    action(old, "sent", "dispatched", channel="webhook")
    action(old, "of a month that stays", month=KEPT)
    action(old, "changed lately", updated_at=datetime.now(UTC))
    assert gone(clean(old.settings, old.policy)) == {"ops.service_actions": 5}
    assert left(old) == {"proposed", "approved", "queued", "of a month that stays", "changed lately"}


def test_what_is_referred_to_stays_and_goes_with_what_refers_to_it(old):
    notice = action(old, "notice")
    action(old, "amendment", "proposed", follows=notice)
    rebate = action(old, "rebate", action_type="arrears_rebate")
    action(old, "clawback", action_type="rebate_clawback", follows=rebate)
    for customer, starts_at in (("told", LONG_AGO), ("told later", datetime(2026, 1, 1, tzinfo=UTC))):
        old.sql(
            "insert into ops.outage_notices values (%s, %s, 0, %s, 'F', %s, null, %s, 72, false)",
            *(customer, customer, action(old, customer), starts_at, datetime(2024, 9, 1, tzinfo=UTC)),
        )
    assert gone(clean(old.settings, old.policy))["ops.outage_notices"] == 1
    clean(old.settings, old.policy)
    assert left(old) == {"notice", "amendment", "rebate", "clawback", "told later"}
    old.sql("update ops.service_actions set status = 'suppressed', updated_at = %s", LONG_AGO)
    clean(old.settings, old.policy)
    clean(old.settings, old.policy)
    assert left(old) == {"rebate", "clawback", "told later"}


def test_an_action_that_a_month_still_has_due_is_neither_removed_nor_done_again(old):
    action(old, "still due", still_due_in=KEPT.first_day)
    action(old, "no longer due", still_due_in=OLD.first_day)
    clean(old.settings, old.policy)
    assert left(old) == {"still due"}


def test_rows_go_in_batches_and_a_dry_run_counts_them(old, monkeypatch):
    monkeypatch.setattr(row_retention, "BATCH", 2)
    batches = []
    taken = row_retention.take_lock
    monkeypatch.setattr(row_retention, "take_lock", lambda connection: (batches.append(1), taken(connection)))
    for number in range(5):
        action(old, f"c{number}")
    assert gone(clean(old.settings, old.policy, dry_run=True)) == {"ops.service_actions": 5}
    assert (len(left(old)), batches) == (5, [])
    clean(old.settings, old.policy)
    assert (left(old), len(batches)) == (set(), 3)


def test_one_that_is_stopped_has_removed_whole_batches(old, monkeypatch):
    monkeypatch.setattr(row_retention, "BATCH", 2)
    taken, batches = row_retention.take_lock, []

    def dies_in_the_second(connection):
        batches.append(1)
        taken(connection)
        if len(batches) == 2:
            raise KeyboardInterrupt  # as a command that is stopped; the rest is for the next

    for number in range(5):
        action(old, f"c{number}")
    monkeypatch.setattr(row_retention, "take_lock", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        clean(old.settings, old.policy)
    assert len(left(old)) == 3
    clean(old.settings, old.policy)
    assert left(old) == set()


def test_what_somebody_changes_meanwhile_stays(old, monkeypatch):
    made = action(old, "released")
    taken = row_retention.take_lock

    def released(connection):
        old.sql("update ops.service_actions set status = 'proposed' where action_id = %s", made)
        taken(connection)

    monkeypatch.setattr(row_retention, "take_lock", released)
    clean(old.settings, old.policy)
    assert left(old) == {"released"}


def test_the_history_outlives_the_action_and_goes_in_its_time(old):
    of_gone, there = action(old, "gone"), action(old, "open", "proposed")
    patient = old.policy.retention.model_copy(update={"events_months": 30})
    clean(old.settings, old.policy.model_copy(update={"retention": patient}))
    assert old.history(of_gone)
    clean(old.settings, old.policy)
    assert not old.history(of_gone)
    assert old.history(there)


def test_checks_and_records_left_out_go_with_their_months(old):
    for month, recorded in ((OLD, OLD), (KEPT, OLD), (OLD, KEPT)):
        old.sql(
            "insert into ops.validation_results (rating_month, basis, table_name, recorded_month, expectation, "
            "severity, success, rows_checked, rows_failed, checked_at) "
            "values (%s, 'as_known_then', 'bills', %s, 'e', 'warn', true, 1, 0, %s)",
            *(month.first_day, recorded.first_day, LONG_AGO),
        )
    for table in ("bills", "customers"):
        old.sql(
            "insert into ops.quarantine values (%s, %s, 0, %s, 'k', '{}', 'p', %s)",
            *(table, OLD.first_day, OLD.first_day, LONG_AGO),
        )
    fill_lake(Lake(old.settings.lake_path), tables(customers=[]), OLD)
    assert gone(clean(old.settings, old.policy)) == {"ops.validation_results": 1, "ops.quarantine": 1}
    assert old.sql("select table_name from ops.quarantine") == [("customers",)]
    kept = "select rating_month, recorded_month from ops.validation_results order by rating_month"
    assert old.sql(kept) == [(OLD.first_day, KEPT.first_day), (KEPT.first_day, OLD.first_day)]


def test_inputs_stay_with_the_months_that_were_rated_from_them(old):
    old.sql("insert into ops.inputs values ('0', '{}'), ('of nothing', '{}')")
    assert gone(clean(old.settings, old.policy)) == {"ops.inputs": 1}
    assert old.sql("select input_sha256 from ops.inputs") == [("0",)]


def test_a_policy_that_forgets_what_a_repeatable_month_was_rated_from_is_refused(tmp_path):
    (tmp_path / "policy.yaml").write_text("retention: {inputs_months: 12}")
    with pytest.raises(ConfigError, match="inputs_months must not be less than repeatable_months"):
        Policy.load(tmp_path / "policy.yaml")
