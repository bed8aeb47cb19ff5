"""What a failed check tells whoever ran the months."""

import pytest

from pipeline.errors import MonitoringError
from pipeline.monitoring import monitor


def summary(month: str, *failed: str) -> dict:
    return {"month": month, "failed": list(failed)}


def test_of_many_months_the_last_that_failed_is_reported_in_full():
    months = [summary("2026-03", "psi of score 0.3"), summary("2026-04"), summary("2026-02", "auc 0.4", "ks 0.1")]
    with pytest.raises(MonitoringError) as raised:
        monitor.require_passed(*months)
    assert str(raised.value) == (
        "published, but past a limit of policy monitoring: 2026-03: psi of score 0.3, as in 1 of the months before it; "
        "see report.model_monitoring"
    )


def test_months_that_passed_raise_nothing():
    monitor.require_passed(summary("2026-03"), summary("2026-04"))
    monitor.require_passed()
