"""A model as one JSON file that another installation takes in: the model, its measurements, and where it is from.

Two hashes stand in the file: that of the model's parameters, as the registry has it, and that of everything else with
it. A file that was changed is refused. Nothing in it is ever executed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ModelError
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import ModelFitError, model_from_dict
from pipeline.settings import Settings
from pipeline.warehouse import model_registry

FORMAT = "gridgrade model 1"
_CARRIED = (
    "version",
    "family",
    "origin",
    "provenance",
    "parameters",
    "parameters_sha256",
    "metrics",
    "gates",
    "has_passed",
    "input_sha256",
    "policy_sha256",
)


def exported(settings: Settings, version: str) -> str:
    """The file's text."""
    model = model_registry.model(settings, version)
    document = {"format": FORMAT, **{name: getattr(model, name) for name in _CARRIED}}
    document["trained_month"] = str(model.trained_month)
    document["registered_at"] = model.registered_at.isoformat()
    document["promotions"] = [
        {
            "from_month": str(one.from_month),
            "approved_by": one.approved_by,
            "approved_at": one.approved_at.isoformat(),
            "reason": one.reason,
        }
        for one in model_registry.promotions(settings, version)
    ]
    return json.dumps(document | {"sha256": _sha256(document)}, indent=1) + "\n"


def imported(path: Path, settings: Settings, policy: Policy) -> model_registry.Model:
    """Register the model of a file as a challenger; once it is there, the same file again changes nothing.

    Gates and promotions of the other installation are kept as provenance: here the model has passed none. ConfigError
    where the file cannot be read, ModelError where it is no exported model, was changed, or the policy has no such
    family.
    """
    document = _read(path)
    if document["family"] not in policy.families:
        known = ", ".join(policy.families)
        raise ModelError(f"{path}: the policy has no family {document['family']}, only {known}: it has nobody to rate")
    elsewhere = ("origin", "provenance", "gates", "has_passed", "registered_at", "promotions", "sha256")
    return model_registry.register(
        settings,
        version=document["version"],
        family=document["family"],
        effective_from=RatingMonth.parse(document["trained_month"]),
        parameters=document["parameters"],
        metrics=document["metrics"],
        input_sha256=document["input_sha256"],
        policy_sha256=document["policy_sha256"],
        origin="imported",
        provenance={"elsewhere": {name: document[name] for name in elsewhere}},
    )


def sql(settings: Settings, version: str, *, quantity: str, dialect: str) -> str:
    """The model as one SQL expression over the columns of its indices, null where an index is missing."""
    try:
        return fitted(model_registry.model(settings, version)).to_sql(dialect, quantity)
    except ModelFitError as error:
        raise ModelError(f"model {version}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{path} is not a model that gridgrade models export wrote (format {FORMAT!r})")
    stated = document.get("sha256")
    if stated != _sha256({name: value for name, value in document.items() if name != "sha256"}):
        raise ModelError(f"{path} was changed since it was exported: its sha256 is not that of its content")
    parameters = model_registry.as_json(document["version"], document["parameters"])
    if hashlib.sha256(parameters.encode()).hexdigest() != document["parameters_sha256"]:
        raise ModelError(f"{path}: the model in it is not the one that was registered as {document['version']}")
    try:
        model_from_dict(document["parameters"])
    except ModelFitError as error:
        raise ModelError(f"{path}: {error}") from None
    return document


def _sha256(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
