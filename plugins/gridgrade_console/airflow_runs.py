"""What Airflow itself remembers of the runs: the difference that the last dry run of a month found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from gridgrade_console.security import RATING_DAG
from pipeline.month import RatingMonth

_LOOKED_THROUGH = 20


@dataclass(frozen=True)
class DryRun:
    """A dry run of ``credit_rating``; ``found`` is what its task ``publish`` returned."""

    run_id: str
    ended_at: datetime | None
    found: dict[str, Any]


def last_dry_run(month: RatingMonth) -> DryRun | None:
    """The newest of the month, among its last runs; None where there is none that said what would change."""
    query = (
        select(DagRun.run_id, DagRun.end_date, XComModel)
        .join(XComModel, (XComModel.dag_id == DagRun.dag_id) & (XComModel.run_id == DagRun.run_id))
        .where(
            DagRun.dag_id == RATING_DAG,
            DagRun.partition_key == str(month),
            XComModel.task_id == "publish",
            XComModel.key == "return_value",
        )
        .order_by(DagRun.id.desc())
        .limit(_LOOKED_THROUGH)
    )
    with create_session() as session:
        for run_id, ended_at, result in session.execute(query):
            found = XComModel.deserialize_value(result)
            if isinstance(found, dict) and found.get("dry_run") and "totals" in found:
                return DryRun(run_id, ended_at, found)
    return None
