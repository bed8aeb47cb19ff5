"""What the DAGs hand each other, and when a month starts: the assets, the monthly timetable, and names for lineage."""

import os
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from airflow.providers.common.compat.lineage.entities import Table
from airflow.sdk import Asset, CronTriggerTimetable
from gridgrade_timetable import MonthlyTimetable

import pipeline.month
from pipeline import resources

# Both are partitioned by rating month; the partition key is YYYY-MM.
billing_snapshot = Asset(name="billing_snapshot", uri="gridgrade://lake/billing_snapshot")
credit_grades = Asset(name="credit_grades", uri="gridgrade://warehouse/rating/credit_grades")

# For lineage tools, where apache-airflow-providers-openlineage is installed: billing tables -> records -> grades.
billing_tables = [
    Table(cluster="gridgrade://source", database="billing", name=Path(query).stem)
    for query in resources.files(resources.EXTRACT, ".sql")
]
records = Table(cluster="gridgrade://lake", database="lake", name="records")
rating_tables = [
    Table(cluster="gridgrade://warehouse", database="rating", name=name)
    for name in ("credit_grades", "credit_indices", "customer_groups")
]


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, ten times as fast, where it is built in


def monthly() -> MonthlyTimetable:
    """The policy's schedule: the run that starts on 1 November carries the partition 2026-10.

    A new installation waits for the next month that ends. To Airflow's default a month that ended in the last tenth of
    the interval is due at once: its run would wait for billing, and whatever a person starts would wait behind it.
    """
    schedule, zone = _of_policy("schedule"), _of_policy("timezone")
    ZoneInfo(zone)  # an unknown one stops here, and not in the scheduler
    return MonthlyTimetable(schedule, timezone=zone, run_offset=-1, key_format="%Y-%m", run_immediately=timedelta(0))


def every_few_minutes() -> CronTriggerTimetable:
    """When the policy looks at planned outages."""
    return CronTriggerTimetable(_of_policy("measures", "outage_notices", "schedule"), timezone="UTC")


def daily() -> CronTriggerTimetable:
    """When the policy looks for what people have to hear of."""
    return CronTriggerTimetable(_of_policy("alerts", "schedule"), timezone=_of_policy("timezone"))


def _of_policy(*keys: str) -> str:
    """One key of the policy in force.

    Every parse of a DAG runs this, so the policy is not validated here: the tasks load and check all of it.
    """
    defaults = Path(pipeline.month.__file__).parent / "policy" / "defaults"
    own = os.environ.get("GRIDGRADE_POLICY") or resources.project_policy()
    found = ""
    for path in (*sorted(defaults.glob("*.yaml")), *([Path(own).expanduser()] if own else [])):
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a safe loader
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        found = value or found
    return found
