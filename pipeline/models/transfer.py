"""A model as one JSON file that another installation takes in: the model, its measurements, and where it is from.

Two hashes stand in the file: that of the model's parameters, as the registry has it, and that of everything else with
it. A file that was changed is refused. Who made the file can hash it too, so all of it is checked and tried out before
a row is written. Nothing in it is ever executed.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, NonNegativeInt, ValidationError

from pipeline.errors import ConfigError, ModelError, first_fault
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, ModelFitError, model_from_dict
from pipeline.settings import Settings
from pipeline.warehouse import model_registry

FORMAT = "gridgrade model 1"
_MAX_BYTES = 16_000_000
_MAX_DEPTH = 24
_HALF_OR_NUL = re.compile("[\x00\ud800-\udfff]")
_INDEX_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
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


_Name = Annotated[str, Field(pattern=f"^{model_registry.VERSION}$")]
_Hash = Annotated[str, Field(pattern="^[0-9a-zA-Z]{1,128}$")]
_Object = dict[str, JsonValue]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Interval(_Strict):
    value: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class _Sample(_Strict):
    customers: NonNegativeInt
    defaults: NonNegativeInt


class _Metrics(_Strict):
    """What commands and pages show of a model's measurements; there may be more."""

    customers: NonNegativeInt | None = None
    defaults: NonNegativeInt | None = None
    auc: _Interval = _Interval()
    ks: FiniteFloat | None = None
    brier: FiniteFloat | None = None
    samples: dict[str, _Sample] = {}
    cohorts: list[str] = []
    fairness: dict[str, list[_Object]] = {}


class _Document(_Strict):
    model_config = ConfigDict(extra="forbid")

    format: str
    version: _Name
    family: _Name
    origin: Literal["trained", "recalibrated", "expert", "imported"]
    provenance: _Object
    parameters: _Object
    parameters_sha256: _Hash
    metrics: _Metrics
    gates: list[_Object] | None
    has_passed: bool | None
    input_sha256: _Hash
    policy_sha256: _Hash
    trained_month: str
    registered_at: str
    promotions: list[_Object]
    sha256: _Hash


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
    where the file cannot be read; ModelError where it is no exported model, was changed, holds names, numbers or texts
    that a model of ours does not, cannot score or be described, or where the policy has no such family.
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
    """The document, whole and usable: see ``imported`` for what is refused."""
    document = _parsed(path)
    try:
        _Document.model_validate(document)
    except ValidationError as error:
        raise ModelError(f"{path}: {': '.join(first_fault(error))[:200]}") from None
    if document["sha256"] != _sha256({name: value for name, value in document.items() if name != "sha256"}):
        raise ModelError(f"{path} was changed since it was exported: its sha256 is not that of its content")
    parameters_sha256 = model_registry.parameters_sha256(document["version"], document["parameters"])
    if parameters_sha256 != document["parameters_sha256"]:
        raise ModelError(f"{path}: the model in it is not the one that was registered as {document['version']}")
    try:
        _try_out(document)
    except Exception as error:  # whatever a crafted model or measurement trips over
        raise ModelError(f"{path}: the model in it cannot be used: {str(error)[:200]}") from None
    return document


def _parsed(path: Path) -> dict[str, Any]:
    """The JSON of a file: an object of our format, in plain values."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        document = json.loads(content.decode("utf-8")) if len(content) <= _MAX_BYTES else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{path} is not a model that gridgrade models export wrote (format {FORMAT!r})")
    if unfit := next(_unfit(document), None):
        raise ModelError(f"{path} holds {unfit}: gridgrade models export writes none")
    return document


def _unfit(value: Any, depth: int = 0) -> Iterator[str]:
    """What neither the warehouse nor a page could hold."""
    if depth > _MAX_DEPTH:
        yield f"objects within objects, more than {_MAX_DEPTH} deep"
    elif isinstance(value, dict):
        for pair in value.items():
            for part in pair:
                yield from _unfit(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _unfit(part, depth + 1)
    elif isinstance(value, str) and _HALF_OR_NUL.search(value):
        yield "text with a NUL or half a character"
    elif isinstance(value, int | float) and not abs(value) < 1e300:
        yield "a number that is not finite"


def _try_out(document: dict[str, Any]) -> None:
    """Do with the model all that is done with one: score, watch, put into SQL and on a card."""
    from pipeline.models.card.page import CardContext, html

    model = model_from_dict(document["parameters"])
    if unfit := [column for column in model.columns if not _INDEX_NAME.fullmatch(column)]:
        raise ModelFitError(f"{unfit[0]!r} is not the name of an index")
    values = [np.nan, 0.0, 1.0, -1e6, 1e6] if isinstance(model, CreditModel) else [None, *"ABCD"]
    frame = pd.DataFrame({column: values for column in model.columns})
    with np.errstate(all="ignore"):
        numbers = [model.score(frame), model.default_probability(frame), model.contributions(frame).to_numpy()]
    if not all(np.isfinite(each).all() for each in numbers):
        raise ModelFitError("it gives a score that is not finite")
    if model.monitoring is not None:
        model.count(frame)
    model.terms()
    for dialect in ("postgresql", "duckdb"):
        model.to_sql(dialect)
    html(document["parameters"], document["metrics"], CardContext(document["version"]))


def _sha256(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
