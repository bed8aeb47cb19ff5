"""When a month starts."""

from tests.support import in_airflow  # noqa: F401  isort: skip

import pytest
from airflow.serialization.encoders import encode_timetable
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


def test_an_unknown_time_zone_is_told_when_the_dag_is_loaded(monkeypatch, tmp_path):
    own = tmp_path / "policy.yaml"
    own.write_text("timezone: Nowhere/Land\n")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(own))
    with pytest.raises(Exception, match="Nowhere/Land"):
        read(monthly())


def test_the_assets_are_named_as_agreed():
    assert (billing_snapshot.name, credit_grades.name) == ("billing_snapshot", "credit_grades")
