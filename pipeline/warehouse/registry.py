"""Model versions: rating.models and rating.model_coefficients.

A version never changes. It is registered as a challenger, becomes its segment family's champion when somebody approves
it, and is retired by the next. A month is rated by what was in force for it, so an old month keeps its old model.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction

_SELECT = "select *, effective_from_month as effective_from, segment as family from rating.models"

_TERM_NUMBERS = (
    *("kind", "coefficient", "lower", "upper", "fill", "mean", "scale", "points_per_unit"),
    *("edges", "points", "points_missing", "codes", "points_codes"),
)
_TERM_COLUMNS = ("version", "term", "index_name", *_TERM_NUMBERS)
_INSERT_TERM = text(
    f"insert into rating.model_coefficients ({', '.join(_TERM_COLUMNS)}) "
    f"values ({', '.join(f':{name}' for name in _TERM_COLUMNS)})"
)


@dataclass(frozen=True)
class Model:
    """A registered version. ``parameters`` is the model itself, as ``pipeline.model`` writes it."""

    version: str
    family: str
    status: str
    effective_from: RatingMonth
    parameters: dict[str, Any]
    parameters_sha256: str
    metrics: dict[str, Any]
    input_sha256: str
    policy_sha256: str
    registered_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    retired_at: datetime | None


def register(
    settings: Settings,
    *,
    version: str,
    family: str,
    effective_from: RatingMonth,
    parameters: dict[str, Any],
    metrics: dict[str, Any],
    input_sha256: str,
    policy_sha256: str,
) -> Model:
    """Add a challenger. The same version with the same parameters again changes nothing.

    Parameters come back from the registry equal to the bit. ModelError when a version of that name holds another
    model, or when parameters or metrics hold a number that is not finite.
    """
    try:
        document = json.dumps(parameters, allow_nan=False)
        measured = json.dumps(metrics, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {version} cannot be stored as JSON: {error}") from None
    values = {
        "version": version,
        "segment": family,
        "effective_from_month": effective_from.first_day,
        "parameters": document,
        "parameters_sha256": hashlib.sha256(document.encode()).hexdigest(),
        "metrics": measured,
        "input_sha256": input_sha256,
        "policy_sha256": policy_sha256,
    }
    names, bound = ", ".join(values), ", ".join(f":{name}" for name in values)
    with transaction(settings) as connection:
        inserted = connection.execute(
            text(f"insert into rating.models ({names}) values ({bound}) on conflict (version) do nothing"), values
        ).rowcount
        registered = _registered(connection, version)
        if inserted:
            if terms := _terms(version, parameters):
                connection.execute(_INSERT_TERM, [{"version": version} | term for term in terms])
        elif (registered.parameters_sha256, registered.family) != (values["parameters_sha256"], family):
            raise ModelError(
                f"model {version} is already registered with other parameters: give the new one a version of its own"
            )
    return registered


def promote(settings: Settings, version: str, approved_by: str) -> Model:
    """Make a version its family's champion and retire the one before; the champion again changes nothing."""
    with transaction(settings) as connection:
        connection.execute(text("lock table rating.models in share row exclusive mode"))
        promoted = _registered(connection, version)
        if promoted.status == "champion":
            return promoted
        connection.execute(
            text(
                "update rating.models set status = 'retired', retired_at = now() "
                "where segment = :family and status = 'champion'"
            ),
            {"family": promoted.family},
        )
        connection.execute(
            text(
                "update rating.models set status = 'champion', approved_by = :approved_by, approved_at = now(), "
                "retired_at = null where version = :version"
            ),
            {"approved_by": approved_by, "version": version},
        )
        return _registered(connection, version)


def champion(settings: Settings, family: str, month: RatingMonth) -> Model | None:
    """The approved model in force for a month: the latest to take effect by then, even if it was retired since."""
    with transaction(settings) as connection:
        row = connection.execute(
            text(
                f"{_SELECT} where segment = :family and status in ('champion', 'retired') "
                "and effective_from_month <= :month order by effective_from_month desc, approved_at desc limit 1"
            ),
            {"family": family, "month": month.first_day},
        ).one_or_none()
    return row and _model(row)


def model(settings: Settings, version: str) -> Model:
    """A version by its name; ModelError when it is not registered."""
    with transaction(settings) as connection:
        return _registered(connection, version)


def models(settings: Settings) -> list[Model]:
    """Every version, by family and the month it takes effect."""
    with transaction(settings) as connection:
        rows = connection.execute(text(f"{_SELECT} order by segment, effective_from_month, registered_at"))
        return [_model(row) for row in rows]


def models_sha256(connection: Connection, versions: Iterable[str]) -> str:
    """One hash of the names and the parameters of these versions, whatever their order."""
    query = text("select version, parameters_sha256 from rating.models where version = any(:versions) order by version")
    rows = connection.execute(query, {"versions": list(versions)})
    return hashlib.sha256("\n".join(f"{version} {sha256}" for version, sha256 in rows).encode()).hexdigest()


def _registered(connection: Connection, version: str) -> Model:
    row = connection.execute(text(f"{_SELECT} where version = :version"), {"version": version}).one_or_none()
    if row is None:
        raise ModelError(f"model {version} is not registered: rating.models lists those that are")
    return _model(row)


def _model(row: Row) -> Model:
    values = {name: getattr(row, name) for name in Model.__dataclass_fields__}
    return Model(**{**values, "effective_from": RatingMonth.of(row.effective_from)})


def _terms(version: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of rating.model_coefficients; none for a document that is not a model of ours."""
    if "format" not in parameters:
        return []
    from pipeline.model import ModelFitError, model_from_dict

    try:
        terms = model_from_dict(parameters).terms()
    except ModelFitError as error:
        raise ModelError(f"model {version} cannot be used: {error}") from None
    return [
        {
            "term": term.name,
            "index_name": term.column and term.column.removesuffix("_band" if term.kind == "band" else ""),
            **{name: _sql_value(getattr(term, name)) for name in _TERM_NUMBERS},
        }
        for term in terms
    ]


def _sql_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
