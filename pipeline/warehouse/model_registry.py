"""Model versions: rating.models, rating.model_coefficients and rating.model_promotions.

A version never changes. It is registered as a challenger, checked by gates, and put in force from a month on by a
promotion. Promotions are only ever added: in force for a month is the last one from that month or an earlier one on. So
an old month keeps its model whatever is promoted later, and what was in force when can be read off.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

# A version names files too: a letter or digit first, no separator of folders, short enough for any file system.
VERSION = r"\w[\w.-]{0,59}"

_SELECT = "select m.*, m.effective_from_month as effective_from, m.segment as family from rating.models as m"

_TERM_NUMBERS = (
    *("kind", "coefficient", "lower", "upper", "fill", "mean", "scale", "points_per_unit"),
    *("edges", "points", "points_missing", "codes", "points_codes"),
)
_TERM_COLUMNS = ("version", "term", "index_name", *_TERM_NUMBERS)
_INSERT_TERM = text(
    f"insert into rating.model_coefficients ({', '.join(_TERM_COLUMNS)}) "
    f"values ({', '.join(f':{name}' for name in _TERM_COLUMNS)})"
)
_PROMOTE = text(
    "insert into rating.model_promotions (segment, version, from_month, approved_by, reason) "
    "values (:segment, :version, :from_month, :approved_by, :reason)"
)


@dataclass(frozen=True)
class Model:
    """A registered version. ``parameters`` is the model itself, as ``pipeline.scorecard`` writes it; ``gates`` the
    results of the gates (pipeline/models/gates.py), None before they were checked."""

    version: str
    family: str
    status: str
    trained_month: RatingMonth
    effective_from: RatingMonth
    retired_from_month: RatingMonth | None
    origin: str
    provenance: dict[str, Any]
    parameters: dict[str, Any]
    parameters_sha256: str
    metrics: dict[str, Any]
    gates: list[dict[str, Any]] | None
    has_passed: bool | None
    is_trial: bool
    input_sha256: str
    policy_sha256: str
    registered_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True)
class Promotion:
    """A version put in force from a month on."""

    version: str
    from_month: RatingMonth
    approved_by: str
    approved_at: datetime
    reason: str


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
    origin: str = "trained",
    provenance: dict[str, Any] | None = None,
    is_trial: bool = False,
) -> Model:
    """Add a challenger, trained as of ``effective_from``. The same version with the same parameters again changes
    nothing, but that a trial is none any more once it is registered as no trial.

    Parameters come back from the registry equal to the bit. ModelError when a version of that name holds another
    model, or when parameters or metrics hold a number that is not finite.
    """
    if not re.fullmatch(VERSION, version):
        raise ModelError(f"{version!r} cannot be a version: write letters, digits, '.', '_' and '-', 60 at most")
    values = {
        "version": version,
        "segment": family,
        "trained_month": effective_from.first_day,
        "effective_from_month": effective_from.first_day,
        "parameters": as_json(version, parameters),
        "parameters_sha256": parameters_sha256(version, parameters),
        "metrics": as_json(version, metrics),
        "input_sha256": input_sha256,
        "policy_sha256": policy_sha256,
        "origin": origin,
        "provenance": as_json(version, provenance or {}),
        "is_trial": is_trial,
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
        elif registered.is_trial and not is_trial:
            connection.execute(text("update rating.models set is_trial = false where version = :version"), values)
            registered = _registered(connection, version)
    return registered


def as_json(version: str, document: Any) -> str:
    """The text that is stored and hashed."""
    try:
        return json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {version} cannot be stored as JSON: {error}") from None


def parameters_sha256(version: str, parameters: Any) -> str:
    """The hash by which a version's parameters are known."""
    return hashlib.sha256(as_json(version, parameters).encode()).hexdigest()


def require_unchanged(model: Model) -> None:
    """ModelError unless the parameters are those that were registered."""
    if parameters_sha256(model.version, model.parameters) != model.parameters_sha256:
        raise ModelError(
            f"model {model.version} is not the one that was registered, its parameters were changed in the warehouse: "
            "restore its row of rating.models from a backup, or put another version in force"
        )


def judge(settings: Settings, version: str, gates: list[dict[str, Any]], has_passed: bool) -> Model:
    """Store the results of a version's gates in place of earlier ones."""
    with transaction(settings) as connection:
        connection.execute(
            text("update rating.models set gates = :gates, has_passed = :has_passed where version = :version"),
            {"version": version, "gates": as_json(version, gates), "has_passed": has_passed},
        )
        return _registered(connection, version)


def promote(
    settings: Settings,
    version: str,
    approved_by: str,
    *,
    from_month: RatingMonth | None = None,
    reason: str = "",
) -> Model:
    """Put a version in force; already in force changes nothing.

    Without ``from_month``: from the month it was trained as of, or the first one after all that are published,
    whichever is later, so that no published month would be rated otherwise. A given month is taken as it is.
    """
    with transaction(settings) as connection:
        return promote_within(connection, version, approved_by, from_month=from_month, reason=reason)


def promote_within(
    connection: Connection,
    version: str,
    approved_by: str,
    *,
    from_month: RatingMonth | None = None,
    reason: str = "",
    later_months_keep_theirs: bool = False,
) -> Model:
    """``promote`` as part of a transaction. ``later_months_keep_theirs``: months after ``from_month`` that are
    published already go on with the model they have."""
    connection.execute(text("lock table rating.models in share row exclusive mode"))
    model = _registered(connection, version)
    latest = publications.latest(connection)
    if from_month is None:
        from_month = max([model.trained_month, *([latest.rating_month + 1] if latest else [])])
    following = _next_published(connection, from_month) if later_months_keep_theirs else None
    before = _in_force(connection, model.family, from_month)
    after = _in_force(connection, model.family, following) if following else None
    if before is None or before.version != version:
        row = {"segment": model.family, "version": version, "approved_by": approved_by, "reason": reason}
        connection.execute(_PROMOTE, row | {"from_month": from_month.first_day})
        if following and after and _in_force(connection, model.family, following) != after:
            goes_on = {"version": after.version, "from_month": following.first_day, "approved_by": after.approved_by}
            reason = f"goes on: {following} was published with it before {version} was promoted from {from_month} on"
            connection.execute(_PROMOTE, row | goes_on | {"reason": reason})
        connection.execute(
            text(
                "update rating.models set approved_by = :approved_by, approved_at = now(), is_trial = false, "
                "status = case status when 'challenger' then 'retired' else status end where version = :version"
            ),
            row,
        )
        _settle(connection, model.family)
    return _registered(connection, version)


def champion(settings: Settings, family: str, month: RatingMonth) -> Model | None:
    """The model in force for a month; the same at any time of asking."""
    with transaction(settings) as connection:
        return _in_force(connection, family, month)


def pending(settings: Settings, family: str, month: RatingMonth, shadow_months: int) -> Model | None:
    """The challenger that may be promoted with a month: it has passed its gates, was not made by a dry run, is younger
    than the champion and its shadow months are over. None for a month that is published, or older than one that is."""
    with transaction(settings) as connection:
        latest = publications.latest(connection)
        if latest is not None and latest.rating_month >= month:
            return None
        in_force = _in_force(connection, family, month)
        row = connection.execute(
            text(
                f"{_SELECT} where segment = :family and status = 'challenger' and has_passed and not is_trial "
                "and trained_month between :after and :until order by trained_month desc, registered_at desc limit 1"
            ),
            {
                "family": family,
                "after": (in_force.trained_month + 1 if in_force else RatingMonth(1900, 1)).first_day,
                "until": (month - shadow_months).first_day,
            },
        ).one_or_none()
    return None if row is None else _model(row)


def model(settings: Settings, version: str) -> Model:
    """A version by its name; ModelError when it is not registered."""
    with transaction(settings) as connection:
        return _registered(connection, version)


def models(settings: Settings) -> list[Model]:
    """Every version, by family and the month it was trained as of."""
    with transaction(settings) as connection:
        rows = connection.execute(text(f"{_SELECT} order by segment, trained_month, registered_at"))
        return [_model(row) for row in rows]


def promotions(settings: Settings, version: str) -> list[Promotion]:
    """When and by whom a version was put in force, in the order it was done."""
    with transaction(settings) as connection:
        rows = connection.execute(
            text(
                "select version, from_month, approved_by, approved_at, reason from rating.model_promotions "
                "where version = :version order by promotion_id"
            ),
            {"version": version},
        )
        return [Promotion(**{**row._mapping, "from_month": RatingMonth.of(row.from_month)}) for row in rows]


def models_sha256(connection: Connection, versions: Iterable[str]) -> str:
    """One hash of the names and the parameters of these versions, whatever their order."""
    query = text("select version, parameters_sha256 from rating.models where version = any(:versions) order by version")
    rows = connection.execute(query, {"versions": list(versions)})
    return hashlib.sha256("\n".join(f"{version} {sha256}" for version, sha256 in rows).encode()).hexdigest()


def remove(settings: Settings, version: str) -> None:
    """Forget a version that never rated anybody. ModelError where it was promoted, published with, or held beside one
    that was: that is on record."""
    with transaction(settings) as connection:
        connection.execute(text("lock table rating.models in share row exclusive mode"))
        _registered(connection, version)
        if kept := connection.scalar(text(statement("models/on_record")), {"version": version}):
            raise ModelError(f"model {version} {kept}: it stays on record")
        for table in ("rating.model_coefficients", "rating.models"):
            connection.execute(text(f"delete from {table} where version = :version"), {"version": version})


def _in_force(connection: Connection, family: str, month: RatingMonth) -> Model | None:
    row = connection.execute(
        text(
            f"{_SELECT} inner join rating.model_promotions as p on p.version = m.version "
            "where p.segment = :family and p.from_month <= :month "
            "order by p.from_month desc, p.promotion_id desc limit 1"
        ),
        {"family": family, "month": month.first_day},
    ).one_or_none()
    return None if row is None else _model(row)


def _next_published(connection: Connection, month: RatingMonth) -> RatingMonth | None:
    query = text("select min(rating_month) from ops.publications where rating_month > :month and superseded_at is null")
    found = connection.execute(query, {"month": month.first_day}).scalar()
    return found and RatingMonth.of(found)


def _settle(connection: Connection, family: str) -> None:
    """Status and months of a family's promoted versions, as its promotions have them. First the retired: there is never
    a second champion."""
    for is_champion in (False, True):
        connection.execute(
            text(statement("models/settle_promotions")),
            {"family": family, "is_champion": is_champion},
        )


def _registered(connection: Connection, version: str) -> Model:
    row = connection.execute(text(f"{_SELECT} where version = :version"), {"version": version}).one_or_none()
    if row is None:
        raise ModelError(f"model {version} is not registered: gridgrade models list shows those that are")
    return _model(row)


def _model(row: Row) -> Model:
    values = {name: getattr(row, name) for name in Model.__dataclass_fields__}
    months = ("trained_month", "effective_from", "retired_from_month")
    return Model(**values | {name: values[name] and RatingMonth.of(values[name]) for name in months})


def _terms(version: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of rating.model_coefficients; none for a document that is not a model of ours."""
    if "format" not in parameters:
        return []
    from pipeline.scorecard import ModelFitError, model_from_dict

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
