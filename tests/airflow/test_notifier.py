"""The line a failed task leaves."""

from tests.support import in_airflow  # noqa: F401  isort: skip

from types import SimpleNamespace

import pytest
from gridgrade_notifier import failure_line

from pipeline.errors import DataQualityError


@pytest.fixture
def context():
    return {
        "ti": SimpleNamespace(dag_id="credit_rating", task_id="validate", log_url="http://airflow/log"),
        "dag_run": SimpleNamespace(partition_key="2026-10", run_id="scheduled__1"),
        "params": {"rating_month": None},
        "exception": DataQualityError("2026-10: 7 % of payments failed, the policy allows 2 %\nsecond line"),
    }


def test_it_says_what_failed_why_and_how_to_go_on(context):
    assert failure_line(context) == (
        "credit_rating 2026-10: validate failed: DataQualityError: 2026-10: 7 % of payments failed, the policy allows "
        "2 % | once that is fixed: airflow dags clear credit_rating --run-id 'scheduled__1' --only-failed | "
        "http://airflow/log"
    )


def test_a_run_without_anything_still_gets_a_line(context):
    context["dag_run"].partition_key = None
    context["exception"] = KeyboardInterrupt()
    assert failure_line(context).startswith("credit_rating no month: validate failed: KeyboardInterrupt: no message")
