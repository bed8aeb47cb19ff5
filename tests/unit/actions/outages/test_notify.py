"""Notices of planned outages: ahead of time, once, amended when the outage moves; reports of trouble escalated."""

import time
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from pipeline.actions.outages.notify import escalate_repairs, notify_outages
from pipeline.lake import Lake
from tests.support.records.billing import fill
from tests.support.records.lake import fill_lake, tables
from tests.support.records.small_utility import LONG_AGO, MONTH, Town

AT = datetime(2026, 10, 20, 8, tzinfo=UTC)
PEOPLE = {
    "alive": {"is_life_support": True},
    "closed": {"closed_on": date(2026, 10, 1)},
    "elsewhere": {"feeder_id": "F2"},
    "managed": {"value_group": "high value"},
    "quiet": {"outage_sensitivity": 0.1},
    "touchy": {"outage_sensitivity": 0.6},
}
ON_FEEDER = ["alive", "managed", "quiet", "touchy"]


def outage(outage_id="O1", *, days=4.0, feeder="F1", hours=3, **changed) -> dict:
    starts = AT + timedelta(days=days)
    return {
        "outage_id": outage_id,
        "feeder_id": feeder,
        "is_planned": True,
        "starts_at": starts,
        "ends_at": starts + timedelta(hours=hours),
        "recorded_at": AT - timedelta(days=1),
    } | changed


def iso(outage: dict, edge="starts_at") -> str:
    return outage[edge].isoformat()


@pytest.fixture(scope="module")
def module_town(module_house) -> Town:
    """The people, published and with managers."""
    module_house.empty()
    town = Town(module_house.settings, module_house.policy).settled(PEOPLE)
    town.decide()
    fill(town.settings, {"outages": []})
    return town


@pytest.fixture
def town(module_town) -> Town:
    module_town.sql("truncate ops.service_actions, ops.service_action_events, ops.outage_notices, ops.arrears_rebates")
    return module_town


def record(town, outages: list[dict]) -> None:
    """Replace the outages of the billing system."""
    url = town.settings.source.set(drivername="postgresql").render_as_string(hide_password=False)
    columns = ("outage_id", "feeder_id", "is_planned", "starts_at", "ends_at", "recorded_at")
    with psycopg.connect(url) as connection:
        connection.execute("truncate outages")
        connection.cursor().executemany(
            f"insert into outages ({', '.join(columns)}) values (%s, %s, %s, %s, %s, %s)",
            [[row[column] for column in columns] for row in outages],
        )


def notify(town, outages: list[dict], at=AT, run_kind="scheduled") -> dict:
    record(town, [outage("past", days=-1), *outages])
    found = notify_outages(at, town.settings, town.policy, run_kind=run_kind)
    assert found.pop("at") == at.isoformat()
    return {name: count for name, count in found.items() if count}


def notices_of(town, customer="quiet") -> list[tuple]:
    """What a customer is told, in order: type, start before, start, status."""
    return town.sql(
        "select a.action_type, a.payload ->> 'previous_starts_at', a.payload ->> 'starts_at', a.status "
        "from ops.outage_notices as n inner join ops.service_actions as a on a.action_id = n.action_id "
        "where n.customer_id = %s order by n.sequence",
        customer,
    )


def test_notices_go_out_ahead_of_time_and_once_the_most_sensitive_first(town):
    planned = [outage(), outage("unplanned", is_planned=False), outage("far", days=40)]
    assert notify(town, planned) == {"outages": 2, "notices": 4, "negotiations": 1}
    rows = town.sql(
        "select customer_id, priority, payload ->> 'starts_at' from ops.service_actions "
        "where action_type = 'outage_notice' order by 2, 1"
    )
    first = (("alive", 1), ("touchy", 2), ("managed", 3), ("quiet", 3))
    assert rows == [(name, priority, iso(planned[0])) for name, priority in first]
    assert town.dispatch()["dispatched"]["queue"] == 5
    before = town.sql("select * from ops.service_actions order by action_id")
    assert notify(town, planned, AT + timedelta(minutes=5)) == {"outages": 2}
    assert town.sql("select * from ops.service_actions order by action_id") == before
    [(due_at, payload)] = town.sql(
        "select due_at, payload from ops.service_actions where action_type = 'outage_negotiation'"
    )
    assert (due_at, payload["manager"]) == (planned[0]["starts_at"], "desk-1")


def test_a_notice_that_comes_late_is_sent_and_counted(town):
    notify(town, [outage("soon", days=1), outage("in time", days=3), outage("a minute late", days=3 - 1 / 1440)])
    rows = town.sql("select distinct outage_id, is_late, hours_ahead from ops.outage_notices order by 1")
    assert [(name, late, float(hours)) for name, late, hours in rows] == [
        ("a minute late", True, 71.98),
        ("in time", False, 72),
        ("soon", True, 24),
    ]
    assert town.statuses() == {"proposed": 15}


def test_an_outage_that_moves_is_amended_and_one_that_is_called_off_too(town):
    first, moved = outage(), outage(days=6)
    notify(town, [first])
    town.dispatch()
    assert notify(town, [moved]) == {"outages": 1, "amendments": 4, "negotiations": 1}
    town.dispatch()
    assert notify(town, [moved], AT + timedelta(minutes=5)) == {"outages": 1}
    assert notify(town, [], AT + timedelta(minutes=10)) == {"amendments": 4}
    town.dispatch()
    assert notify(town, [], AT + timedelta(minutes=15)) == {}
    assert notify(town, [first], AT + timedelta(minutes=20)) == {"outages": 1, "amendments": 4}
    town.dispatch()
    assert notices_of(town) == [
        ("outage_notice", None, iso(first), "dispatched"),
        ("outage_notice_amendment", iso(first), iso(moved), "dispatched"),
        ("outage_notice_amendment", iso(moved), None, "dispatched"),
        ("outage_notice_amendment", iso(moved), iso(first), "dispatched"),
    ]
    notices = town.sql(
        "select count(*), count(distinct customer_id) from ops.service_actions where action_type = 'outage_notice'"
    )
    assert notices == [(4, 4)]
    follows = town.sql(
        "select count(*) from ops.service_actions as a inner join ops.service_actions as n on n.action_id = a.follows "
        "where a.action_type = 'outage_notice_amendment' and n.action_type = 'outage_notice' "
        "and n.customer_id = a.customer_id"
    )
    assert follows == [(12,)]


def test_a_notice_not_sent_yet_is_changed_and_not_amended(town):
    moved = outage(days=6)
    notify(town, [outage()])
    assert notify(town, [moved]) == {"outages": 1, "notices": 4, "negotiations": 1, "withdrawn": 1}
    assert notices_of(town) == [("outage_notice", None, iso(moved), "proposed")]
    assert notify(town, []) == {"withdrawn": 5}
    assert notices_of(town) == []
    assert set(town.statuses()) == {"suppressed"}


def test_an_amendment_not_sent_yet_goes_by_the_notice_before_it(town):
    first, second, third = outage(), outage(days=6), outage(days=8)
    notify(town, [first])
    town.dispatch()
    notify(town, [second])
    notify(town, [third])
    assert notices_of(town)[1:] == [("outage_notice_amendment", iso(first), iso(third), "proposed")]
    notify(town, [first])
    assert notices_of(town) == [("outage_notice", None, iso(first), "dispatched")]


def test_a_correction_recorded_later_takes_the_place_of_the_row_before(town):
    earlier = outage(recorded_at=AT - timedelta(hours=3))
    later = outage(days=6, recorded_at=AT - timedelta(hours=1))
    notify(town, [later, earlier, outage(days=9, recorded_at=AT + timedelta(minutes=1))])
    assert notices_of(town) == [("outage_notice", None, iso(later), "proposed")]


def test_a_billing_system_that_shows_no_outages_calls_nothing_off(town):
    notify(town, [outage()])
    town.dispatch()
    record(town, [])
    found = notify_outages(AT, town.settings, town.policy, run_kind="scheduled")
    assert found["because"] == "the billing system shows no outages"
    assert len(notices_of(town)) == 1


@pytest.mark.parametrize(
    ("run_kind", "status"), [("backfill", "suppressed"), ("manual", "proposed"), ("command", "proposed")]
)
def test_only_a_scheduled_run_tells_customers_by_itself(town, run_kind, status):
    notify(town, [outage()], run_kind=run_kind)
    assert sum(town.dispatch()["dispatched"].values()) == 0
    assert set(town.statuses()) == {status}
    notify(town, [outage()])
    assert town.dispatch()["dispatched"]["queue"] == 5, (
        "what a run by hand or a backfill did keeps nobody from being told"
    )


def test_a_latest_month_that_was_backfilled_keeps_no_notice_back(town):
    town.publish("backfill", MONTH)
    notify(town, [outage()])
    assert town.dispatch()["dispatched"]["queue"] == 5


def test_nobody_is_notified_of_an_outage_that_has_begun(town):
    assert notify(town, [outage(days=0), outage("running", days=-0.01)]) == {}
    now = datetime.now(UTC)
    record(town, [outage(starts_at=now + timedelta(days=2), ends_at=None, recorded_at=now - timedelta(days=1))])
    notify_outages(now, town.settings, town.policy, run_kind="scheduled")
    town.sql("update ops.service_actions set expires_at = now() - interval '1 second' where expires_at > now()")
    assert sum(town.dispatch()["dispatched"].values()) == 0
    assert set(town.statuses()) & {"dispatched", "approved"} == set()


def test_only_those_who_come_first_where_the_policy_says_so(town):
    terms = town.policy.measures.outage_notices.model_dump() | {"recipients": "sensitive"}
    notify(town.under_measures(outage_notices=terms), [outage()])
    assert town.sql("select customer_id from ops.outage_notices order by 1") == [("alive",), ("touchy",)]


def test_before_anything_is_published_nobody_is_notified(settings, policy):
    assert notify_outages(AT, settings, policy)["because"] == "nothing is published yet"


def test_trouble_of_those_who_come_first_is_escalated_once_with_a_deadline(town):
    def contact(number, customer, kind="outage_report", hours=2):
        at = AT - timedelta(hours=hours)
        return {
            "contact_id": f"T{number}",
            "customer_id": customer,
            "contact_type": kind,
            "contacted_at": at,
            "recorded_at": at,
        }

    contacts = [
        contact(1, "alive"),
        contact(2, "managed", "voltage_complaint"),
        contact(3, "managed", "enquiry"),
        contact(4, "quiet"),
        contact(5, "alive", hours=30),
    ]
    people = [
        {
            "customer_id": name,
            "segment": "residential",
            "region": "n",
            "connected_on": date(2015, 1, 1),
            "recorded_at": LONG_AGO,
        }
        for name in PEOPLE
    ]
    fill(town.settings, {"customers": people, "service_contacts": contacts, "outages": []})
    for repairs in (2, 0):
        assert escalate_repairs(AT, town.settings, town.policy, run_kind="scheduled")["repairs"] == repairs
    rows = town.sql(
        "select customer_id, payload ->> 'level', priority, due_at from ops.service_actions order by customer_id"
    )
    reported = AT - timedelta(hours=2)
    assert rows == [
        ("alive", "emergency", 1, reported + timedelta(hours=2)),
        ("managed", "priority", 2, reported + timedelta(hours=8)),
    ]
    assert town.dispatch()["dispatched"]["queue"] == 2


def test_ten_thousand_customers_of_a_feeder_are_notified_in_seconds(town, tmp_path):
    crowd = [
        {
            "customer_id": f"N{n:05}",
            "segment": "residential",
            "region": "n",
            "feeder_id": "F9",
            "connected_on": date(2015, 1, 1),
            "recorded_at": LONG_AGO,
        }
        for n in range(10_000)
    ]
    lake = tmp_path / "lake"
    fill_lake(Lake(lake), tables(customers=crowd), MONTH)
    crowded = Town(town.settings.model_copy(update={"lake": lake}), town.policy)
    started = time.monotonic()
    assert notify(crowded, [outage(feeder="F9")])["notices"] == 10_000
    assert time.monotonic() - started < 15  # two or three on an idle machine
