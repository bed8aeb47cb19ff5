"""Step ``monitor``: compares the models of a published month with training, the year before and known outcomes.

The month stays published in any case. A limit that is exceeded is a failed check: a failed task, an exit code of 1.
"""

from typing import Any

from pipeline.errors import ModelError, MonitoringError
from pipeline.models import drift
from pipeline.models.in_force import fitted
from pipeline.monitoring import backtest, shadow
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.tables import monitoring_results

Check = dict[str, Any]


def monitor(month: RatingMonth, settings: Settings, policy: Policy) -> dict[str, Any]:
    """Compute the checks of a month and replace its rows of ``rating.model_monitoring``, and of
    ``rating.shadow_grades`` for challengers in their shadow months.

    PSI of the score and CSI of each index, against training and against the same month a year before; AUC, KS, Brier
    and calibration of the cohort whose outcomes have become known. ``failed`` and ``warned`` are the checks that exceed
    a limit, as text. ModelError where the month is not published.
    """
    with transaction(settings) as connection:
        published = publications.current(connection, month)
    if published is None:
        raise ModelError(f"{month} is not published: there is no model in use to look at; gridgrade rate {month}")
    versions = {family: model_registry.model(settings, version) for family, version in published.model_versions.items()}
    models = {family: fitted(model) for family, model in versions.items()}
    shadows = shadow.pairs(month, settings, policy, versions, basis=published.basis)
    found = drift.compare(month, settings, policy, models, basis=published.basis)
    checks = [
        {"version": versions[one.family].version, "basis": published.basis, **_drift_check(one, found, policy)}
        for one in found
    ]
    cohort = month - policy.label.horizon_months - policy.label.embargo_months
    known = backtest.checks(month, cohort, settings, policy, basis=published.basis)
    checks += [{"basis": published.basis, **check} for check in known]
    monitoring_results.replace(settings, month, checks, shadows)
    return {
        "month": str(month),
        "checks": len(checks),
        "cohort": str(cohort) if known else None,
        "shadows": sorted({row["challenger"] for row in shadows}),
        "warned": [_describe(check) for check in checks if check["status"] == "warn"],
        "failed": [_describe(check) for check in checks if check["status"] == "fail"],
    }


def require_passed(*summaries: dict[str, Any]) -> None:
    """MonitoringError that names what failed in these summaries of ``monitor``: of several months, in the last."""
    failed = sorted((summary for summary in summaries if summary["failed"]), key=lambda summary: summary["month"])
    if failed:
        *earlier, last = failed
        also = f", as in {len(earlier)} of the months before it" if earlier else ""
        raise MonitoringError(
            f"published, but past a limit of policy monitoring: {last['month']}: {'; '.join(last['failed'])}{also}; "
            "see report.model_monitoring"
        )


def _drift_check(one: drift.Drift, found: list[drift.Drift], policy: Policy) -> Check:
    """A PSI or CSI. Past the limit against the year before, it fails where it fails against training too: a model that
    was trained since has learnt the difference."""
    limits = policy.monitoring
    status = _drift_status(one, policy)
    if one.compared_with == drift.YEAR_BEFORE and status == "fail":
        [training] = [
            other
            for other in found
            if (other.family, other.name, other.compared_with) == (one.family, one.name, drift.TRAINING)
        ]
        status = "fail" if _drift_status(training, policy) == "fail" else "warn"
    return {
        "segment": one.family,
        "measure": "psi" if one.name == "score" else "csi",
        "subject": one.name,
        "compared_with": one.compared_with,
        "compared_month": one.compared_month and one.compared_month.first_day,
        "value": one.psi,
        "limit_value": limits.max_psi,
        "customers": one.customers,
        "unseen": one.unseen,
        "status": status,
        "detail": f"{one.unseen} customers with a value of a kind that training had not" if one.unseen else "",
    }


def _drift_status(one: drift.Drift, policy: Policy) -> str:
    limits = policy.monitoring
    if one.psi is None or one.customers < limits.min_customers:
        return "warn" if one.unseen else "not_judged"
    if one.unseen:
        return "fail"
    return "fail" if one.psi >= limits.max_psi else "warn" if one.psi >= limits.warn_psi else "pass"


def _describe(check: Check) -> str:
    value = "unknown" if check["value"] is None else f"{check['value']:.3g}"
    limit = f", limit {check['limit_value']:.3g}" if check.get("limit_value") is not None else ""
    expected = f", expected {check['expected']:.3g}" if check.get("expected") is not None else ""
    detail = f" ({check['detail']})" if check.get("detail") else ""
    measured = f"{check['version']} {check['measure']} of {check['subject']} {value}"
    return f"{measured}{expected}{limit}, {_against(check)}{detail}"


def _against(check: Check) -> str:
    month = check["compared_month"]
    if check["compared_with"] == drift.TRAINING:
        return "against training"
    return f"against {month:%Y-%m}" if check["compared_with"] == drift.YEAR_BEFORE else f"outcomes of {month:%Y-%m}"
