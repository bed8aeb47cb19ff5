"""What the warehouse says of one customer in one month, in the shape the model reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from pipeline.errors import ModelError, NotPublishedError, NotRatedError
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.settings import Settings
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication

_DEFINITIONS = "select index_name, code, meaning, reason_en, reason_zh, unit from rating.index_definitions"
# Far above rounding, far below anything that shows.
_SAME_SCORE = 1e-6


@dataclass(frozen=True)
class Definition:
    """What an index is called and what is said of it; texts are None where the policy has none."""

    code: str
    unit: str
    meaning: str | None
    reason_en: str | None
    reason_zh: str | None
    name_zh: str | None = None
    unit_zh: str | None = None


@dataclass(frozen=True)
class Published:
    """A customer's published grade. ``indices`` is one row of the model's columns, an index null where it was missing;
    ``values`` and ``bands`` hold the same by index."""

    publication: Publication
    grade: Mapping[str, Any]
    model: CreditModel | ExpertScorecard
    indices: pd.DataFrame
    values: Mapping[str, float | None]
    bands: Mapping[str, str | None]
    definitions: Mapping[str, Definition]


def read(settings: Settings, policy: Policy, month: RatingMonth, customer_id: str) -> Published:
    """NotPublishedError, NotRatedError, or ModelError when the model is gone or does not give the score."""
    with transaction(settings) as connection:
        publication = publications.current(connection, month)
        if publication is None:
            raise NotPublishedError(f"nothing is published for {month}: gridgrade rate {month} rates it")
        asked = {"month": month.first_day, "customer_id": customer_id}
        grade = _one(connection, "credit_grades", asked)
        if grade is None:
            raise NotRatedError(_where_it_is_rated(connection, month, customer_id))
        measured = _one(connection, "credit_indices", asked)
        if measured is None:
            raise NotRatedError(_where_it_is_rated(connection, month, customer_id))
        definitions = _definitions(connection, policy)
    try:
        model = fitted(model_registry.model(settings, grade["model_version"]))
    except ModelError as error:
        raise ModelError(f"{month} cannot be explained: {error}") from None
    names = sorted({column.removesuffix("_band") for column in model.columns})
    missing = {name for name in names if _is_missing(name, measured, definitions)}
    values = {name: None if name in missing else measured[name] for name in names}
    bands = {name: measured[f"{name}_band"] for name in names}
    columns = {name: [np.nan if value is None else value] for name, value in values.items()}
    frame = pd.DataFrame(columns | {f"{name}_band": [band] for name, band in bands.items()})
    published = Published(publication, grade, model, frame, values, bands, definitions)
    _check_score(published, month, is_recorded=measured["missing_indices"] is not None)
    return published


def _one(connection: Connection, table: str, asked: dict) -> Mapping[str, Any] | None:
    query = text(f"select * from rating.{table} where rating_month = :month and customer_id = :customer_id")
    row = connection.execute(query, asked).one_or_none()
    return None if row is None else dict(row._mapping)


def _definitions(connection: Connection, policy: Policy) -> dict[str, Definition]:
    """As the policy has them; as the warehouse remembers them for an index that has left the policy."""
    remembered = {row.index_name: row for row in connection.execute(text(_DEFINITIONS))}
    kept = {
        name: Definition(row.code, row.unit, row.meaning, row.reason_en, row.reason_zh)
        for name, row in remembered.items()
    }
    return kept | {
        name: Definition(
            index.code,
            index.unit,
            index.meaning,
            index.reason.en if index.reason else None,
            index.reason.zh if index.reason else None,
            index.zh.name if index.zh else None,
            index.zh.unit if index.zh else None,
        )
        for name, index in policy.indices.items()
    }


def _is_missing(name: str, measured: Mapping[str, Any], definitions: Mapping[str, Definition]) -> bool:
    code = definitions[name].code if name in definitions else None
    return measured[name] is None or code in (measured["missing_indices"] or ())


def _where_it_is_rated(connection: Connection, month: RatingMonth, customer_id: str) -> str:
    """A month at a time, so that each is looked up by its key."""
    rated = connection.execute(
        text(
            "select min(p.rating_month), max(p.rating_month) from ops.publications as p "
            "where p.superseded_at is null and exists (select from rating.credit_grades as g "
            "where g.rating_month = p.rating_month and g.customer_id = :customer_id)"
        ),
        {"customer_id": customer_id},
    ).one()
    if rated[0] is None:
        return f"{month}: no published month rates a customer {customer_id!r}: check the id"
    first, last = (RatingMonth.of(day) for day in rated)
    if month > last:
        return f"{month} does not rate {customer_id}: closed by then; its last rating is of {last}"
    if month < first:
        return f"{month} does not rate {customer_id}: not connected yet; its first rating is of {first}"
    return f"{month} does not rate {customer_id}: not connected in that month; {first} and {last} do"


def _check_score(published: Published, month: RatingMonth, *, is_recorded: bool) -> None:
    score, stated = float(published.model.score(published.indices)[0]), published.grade["score"]
    if abs(score - stated) > _SAME_SCORE:
        why = "" if is_recorded else "it was published before missing values were recorded; "
        raise ModelError(
            f"{month}: the contributions of {published.grade['customer_id']} add up to {score:.3f} and its published "
            f"score is {stated:.3f}: {why}rate the month again"
        )
