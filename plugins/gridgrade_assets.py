"""What the DAGs hand each other, and when a month starts: the assets and the monthly timetable."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from airflow.sdk import Asset, CronPartitionTimetable

import pipeline.month

# Both are partitioned by rating month; the partition key is YYYY-MM.
billing_snapshot = Asset(name="billing_snapshot", uri="gridgrade://lake/billing_snapshot")
credit_grades = Asset(name="credit_grades", uri="gridgrade://warehouse/rating/credit_grades")


def monthly() -> CronPartitionTimetable:
    """The policy's schedule: the run that starts on 1 November carries the partition 2026-10.

    Every parse of a DAG comes through here, so only the two keys it needs are read. The rest of the policy is loaded
    and checked by the tasks.
    """
    default = Path(pipeline.month.__file__).with_name("policy.yaml")
    policy = yaml.safe_load(default.read_text(encoding="utf-8"))
    if own := os.environ.get("GRIDGRADE_POLICY"):
        policy |= yaml.safe_load(Path(own).expanduser().read_text(encoding="utf-8")) or {}
    ZoneInfo(policy["timezone"])  # an unknown one stops here, and not in the scheduler
    return CronPartitionTimetable(policy["schedule"], timezone=policy["timezone"], run_offset=-1, key_format="%Y-%m")
