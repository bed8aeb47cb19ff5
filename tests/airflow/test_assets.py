"""When a month starts."""

from tests.support import in_airflow  # noqa: F401  isort: skip

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables import trigger
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.utils.types import DagRunType
from gridgrade_assets import billing_snapshot, credit_grades, monthly


def read(timetable) -> dict:
    return encode_timetable(timetable)["__var"]


def test_the_run_of_a_month_is_the_partition_of_the_month_before(monkeypatch):
    monkeypatch.delenv("GRIDGRADE_POLICY", raising=False)
    timetable = read(monthly())
    assert (timetable["expression"], timetable["run_offset"], timetable["key_format"]) == ("0 0 1 * *", -1, "%Y-%m")
    assert timetable["timezone"] == "UTC"


def test_a_utility_s_own_policy_decides(monkeypatch, tmp_path):
    own = tmp_path / "policy.yaml"
    own.write_text("timezone: Asia/Shanghai\ngrades: {names: [A, B]}\n")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(own))
    timetable = read(monthly())
    assert (timetable["expression"], timetable["timezone"]) == ("0 0 1 * *", "Asia/Shanghai")


def test_an_unknown_time_zone_is_refused_when_the_dag_is_loaded(monkeypatch, tmp_path):
    own = tmp_path / "policy.yaml"
    own.write_text("timezone: Nowhere/Land\n")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(own))
    with pytest.raises(Exception, match="Nowhere/Land"):
        read(monthly())


@pytest.fixture
def timetable(monkeypatch):
    """As the scheduler has it, on 20 November."""
    monkeypatch.delenv("GRIDGRADE_POLICY", raising=False)
    monkeypatch.setattr(trigger, "utcnow", lambda: pendulum.datetime(2026, 11, 20))
    return decode_timetable(encode_timetable(monthly()))


def run_of(timetable, month: str, run_type) -> DagRunInfo:
    """A run as Airflow makes it: one of a backfill is due when its month begins."""
    begins = pendulum.parse(f"{month}-01")
    due = begins if run_type == DagRunType.BACKFILL_JOB else begins.add(months=1)
    return DagRunInfo(run_after=due, data_interval=None, partition_date=begins, partition_key=month)


@pytest.mark.parametrize(
    ("last", "run_type", "due"),
    [
        (None, None, "2026-11"),  # nothing was asked for: the next month that ends
        ("2026-08", DagRunType.BACKFILL_JOB, "2026-11"),
        ("2026-10", DagRunType.BACKFILL_JOB, "2026-11"),
        ("2026-10", DagRunType.SCHEDULED, "2026-11"),
        ("2026-08", DagRunType.SCHEDULED, "2026-10"),  # the scheduler was away on 1 November
    ],
)
def test_what_is_due_follows_the_last_scheduled_month_and_no_backfill(timetable, last, run_type, due):
    before = run_of(timetable, last, run_type) if last else None
    anytime = TimeRestriction(earliest=None, latest=None, catchup=False)
    assert timetable.next_dagrun_info_v2(last_dagrun_info=before, restriction=anytime).partition_key == due


@pytest.mark.parametrize("hours", [1, 5, 60, 700])
def test_a_new_installation_starts_no_month_that_is_over(timetable, monkeypatch, hours):
    monkeypatch.setattr(trigger, "utcnow", lambda: pendulum.datetime(2026, 12, 1).add(hours=hours))
    anytime = TimeRestriction(earliest=None, latest=None, catchup=False)
    assert timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=anytime).partition_key == "2026-12"


def test_a_backfill_of_airflow_s_own_is_due_when_its_month_begins(timetable):
    [made] = timetable.iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2026, 8, 1), latest=pendulum.datetime(2026, 8, 31)
    )
    assert made == run_of(timetable, "2026-08", DagRunType.BACKFILL_JOB)


def test_the_id_of_a_run_begins_with_its_month(timetable):
    due = pendulum.datetime(2026, 11, 1)
    asked = {"run_type": DagRunType.SCHEDULED, "run_after": due, "data_interval": None}
    named = timetable.generate_run_id(**asked, partition_key="2026-10")
    assert named.startswith("scheduled__2026-10__2026-11-01T00:00:00+00:00__")
    assert named != timetable.generate_run_id(**asked, partition_key="2026-10")
    assert timetable.generate_run_id(**asked).startswith("scheduled__2026-11-01T00:00:00+00:00__")


def test_the_assets_are_named_as_agreed():
    assert (billing_snapshot.name, credit_grades.name) == ("billing_snapshot", "credit_grades")
