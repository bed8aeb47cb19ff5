"""One feature of one index: in numpy, as the SQL that gives the same double, and as a row of numbers.

``feature`` and ``index`` are entries of IndexTransformer's ``features_`` and ``indices_``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.scorecard import sql
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.terms import Term
from pipeline.scorecard.weight_of_evidence import WoeBins


def values_of(raw: np.ndarray, feature: Mapping[str, Any], index: Mapping[str, Any]) -> np.ndarray:
    """(n_rows,) before it is standardised, a new array, from the column's numbers with gaps as NaN."""
    match feature["kind"]:
        case "missing":
            return np.isnan(raw).astype(float)
        case "sentinel":
            return (raw == feature["code"]).astype(float)
        case "woe":
            return WoeBins.from_dict(index["woe"]).transform(raw)
        case "value":
            clipped = np.clip(raw, index["lower"], index["upper"])
            clipped[np.isnan(raw) | np.isin(raw, index.get("sentinels", []))] = index["fill"]
            return clipped
    raise _unknown(feature)


def sql_of(
    feature: Mapping[str, Any],
    index: Mapping[str, Any],
    weight: float,
    dialect: str,
    of_flag_not_set: float | None = None,
) -> str:
    """The feature, standardised and times its weight, as an expression over the column; a gap is null. A flag that is
    not set counts ``of_flag_not_set``, where that is given."""

    def term(value: float) -> str:
        return sql.number((value - feature["mean"]) / feature["scale"] * weight)

    x = sql.double(feature["column"], dialect)
    not_set = term(0) if of_flag_not_set is None else sql.number(of_flag_not_set)
    match feature["kind"]:
        case "missing":
            return sql.case((f"{x} is null", term(1)), otherwise=not_set)
        case "sentinel":
            return sql.case((f"{x} = {sql.number(feature['code'])}", term(1)), otherwise=not_set)
        case "woe":
            return WoeBins.from_dict(index["woe"]).to_sql(feature["column"], dialect, term)
        case "value":
            mean, scale = sql.number(feature["mean"]), sql.number(feature["scale"])
            return f"({_clipped_sql(x, index)} - {mean}) / {scale} * {sql.number(weight)}"
    raise _unknown(feature)


def _clipped_sql(x: str, index: Mapping[str, Any]) -> str:
    lower, upper, fill = (sql.number(index[name]) for name in ("lower", "upper", "fill"))
    return sql.case(
        (f"{x} is null", fill),
        *((f"{x} = {sql.number(code)}", fill) for code in index.get("sentinels", [])),
        (f"{x} < {lower}", lower),
        (f"{x} > {upper}", upper),
        otherwise=x,
    )


def term_of(name: str, feature: Mapping[str, Any], index: Mapping[str, Any], coefficient: float, points: float) -> Term:
    """The feature times its weight in points: ``points`` for one standard deviation more of it."""
    column, kind, mean, scale = (feature[key] for key in ("column", "kind", "mean", "scale"))
    if kind == "woe":
        bins = WoeBins.from_dict(index["woe"])

        def worth(*woe: float) -> tuple[float, ...]:
            return tuple(float((value - mean) / scale * points) for value in woe)

        [missing] = worth(bins.missing)
        return Term(
            name,
            kind,
            column,
            coefficient,
            # A value on an edge lies below it here, and above it in a term.
            edges=tuple(np.nextafter(bins.edges, np.inf).tolist()),
            points=worth(*bins.woe),
            points_missing=missing,
            codes=tuple(bins.sentinels) or None,
            points_codes=worth(*bins.sentinels.values()) or None,
        )
    limits = {limit: index[limit] for limit in ("lower", "upper", "fill")} if kind == "value" else {}
    codes = (feature["code"],) if kind == "sentinel" else tuple(index.get("sentinels", ())) if kind == "value" else ()
    standard = {"mean": mean, "scale": scale, "points_per_unit": points}
    return Term(name, kind, column, coefficient, **limits, **standard, codes=codes or None)


def _unknown(feature: Mapping[str, Any]) -> ModelFitError:
    return ModelFitError(f"a feature of {feature['column']} is of kind {feature['kind']!r}, which this version lacks")
