"""One feature of one index: in numpy, and as the SQL that gives the same double.

``feature`` and ``index`` are entries of IndexTransformer's ``features_`` and ``indices_``.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.model import sql
from pipeline.model.binning import WoeBins
from pipeline.model.errors import ModelFitError


def values_of(raw: np.ndarray, feature: Mapping, index: Mapping) -> np.ndarray:
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


def sql_of(feature: Mapping, index: Mapping, weight: float, dialect: str) -> str:
    """The feature, standardised and times its weight, as an expression over the column; a gap is null."""

    def term(value: float) -> str:
        return sql.number((value - feature["mean"]) / feature["scale"] * weight)

    x = sql.double(feature["column"], dialect)
    match feature["kind"]:
        case "missing":
            return sql.case((f"{x} is null", term(1)), otherwise=term(0))
        case "sentinel":
            return sql.case((f"{x} = {sql.number(feature['code'])}", term(1)), otherwise=term(0))
        case "woe":
            return WoeBins.from_dict(index["woe"]).to_sql(feature["column"], dialect, term)
        case "value":
            mean, scale = sql.number(feature["mean"]), sql.number(feature["scale"])
            return f"({_clipped_sql(x, index)} - {mean}) / {scale} * {sql.number(weight)}"
    raise _unknown(feature)


def _clipped_sql(x: str, index: Mapping) -> str:
    lower, upper, fill = (sql.number(index[name]) for name in ("lower", "upper", "fill"))
    return sql.case(
        (f"{x} is null", fill),
        *((f"{x} = {sql.number(code)}", fill) for code in index.get("sentinels", [])),
        (f"{x} < {lower}", lower),
        (f"{x} > {upper}", upper),
        otherwise=x,
    )


def _unknown(feature: Mapping) -> ModelFitError:
    return ModelFitError(f"a feature of {feature['column']} is of kind {feature['kind']!r}, which this version lacks")
