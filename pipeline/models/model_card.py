"""Model cards: one HTML page a version, from what the registry holds of it."""

from pathlib import Path

from pipeline.errors import ModelError
from pipeline.pages import files
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import model_registry
from pipeline.warehouse.tables import monitoring_results

_ORIGINS = {
    "trained": "trained",
    "recalibrated": "the weights of an older version, calibrated anew",
    "expert": "the policy's expert scorecard: too few defaults to learn from",
    "imported": "imported from another installation",
}


def write(settings: Settings, policy: Policy, model: model_registry.Model) -> Path:
    """The card of a version under ``settings.model_cards_path``, in the place of an earlier one."""
    path = _path(settings, model.version)
    files.write(card(settings, policy, model), path)
    return path


def remove(settings: Settings, version: str) -> None:
    """Remove the card of a version, if it has one."""
    _path(settings, version).unlink(missing_ok=True)


def _path(settings: Settings, version: str) -> Path:
    """ModelError where a version's name would lead out of the folder; older warehouses may hold one."""
    path = settings.model_cards_path / f"{version}.html"
    if path.parent != settings.model_cards_path:
        raise ModelError(f"the card of model {version!r} would lie outside {settings.model_cards_path}: use --out")
    return path


def card(settings: Settings, policy: Policy, model: model_registry.Model) -> str:
    """HTML that needs nothing else. Indices are described as the policy describes them now."""
    from pipeline.models.card.page import CardContext, html

    checks, _ = monitoring_results.of_version(settings, model.version)
    drift = [check for check in checks if check["compared_with"] == "training" and check["value"] is not None]
    label = policy.label
    days = label.days_past_due.get(model.family)
    context = CardContext(
        version=model.version,
        title=f"Credit model of {model.family} customers",
        facts={
            "family": model.family,
            "status": model.status,
            "origin": _ORIGINS[model.origin],
            "trained as of": str(model.trained_month),
            "in force": _in_force(model),
            "cohorts": _span(model.provenance.get("cohorts", ())),
            "judged on": _span(model.metrics.get("cohorts", ())),
            "parameters": model.parameters_sha256,
            "input": model.input_sha256,
            "policy": model.policy_sha256,
        },
        indices={
            name: {"code": index.code, "meaning": index.meaning, "unit": index.unit} | {"direction": index.direction}
            for name, index in policy.indices.items()
        },
        data=(
            "Bills, payments, the arrears register and collection events of the billing system, as known at the end of "
            "each cohort's month; what became of the customers as known in the month it was trained as of."
        ),
        population=(
            f"Customers of family {model.family} connected at the end of a cohort's month, with {label.min_bills} "
            f"bills or more and not in default. Default: {days} days past due above the policy's materiality, a "
            f"write-off or a disconnection within {label.horizon_months} months."
        ),
        samples=model.metrics.get("samples", {}),
        fairness=model.metrics.get("fairness", {}),
        gates=model.gates or (),
        approvals=[
            {
                "status": f"in force from {one.from_month}",
                "by": one.approved_by,
                "at": f"{one.approved_at:%Y-%m-%d %H:%M}",
            }
            | {"note": one.reason}
            for one in model_registry.promotions(settings, model.version)
        ],
        drift=[
            {"name": check["subject"], "psi": check["value"], "unseen": check["unseen"]}
            | {"is_alarm": check["status"] == "fail"}
            for check in drift
        ],
        drift_month=f"{drift[0]['rating_month']:%Y-%m}" if drift else "",
    )
    return html(model.parameters, model.metrics, context)


def _in_force(model: model_registry.Model) -> str:
    if model.status == "challenger":
        return "not yet"
    until = f" until {model.retired_from_month - 1}" if model.retired_from_month else ""
    return f"from {model.effective_from}{until}"


def _span(months) -> str:
    months = list(months)
    return f"{months[0]} to {months[-1]} ({len(months)})" if months else "none"
