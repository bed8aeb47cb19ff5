"""Raw indices to model features: winsorise, fill, flag what was missing, standardise."""

import copy
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from pipeline.model.errors import ModelFitError

_COLLINEAR = 0.9999


class IndexTransformer(TransformerMixin, BaseEstimator):
    """Learn on a frame of numeric columns with gaps what makes features of them; every number frozen at fit.

    A value feature is the column clipped to its training quantiles ``lower`` and ``upper``, gaps filled by ``fill`` or
    by the training median, minus its mean, over its standard deviation. A column with gaps in training also gives
    ``<column>_missing``, 0 or 1, standardised likewise. Not features, with the reason in ``dropped_``: a column without
    any value, one that is constant after clipping and filling, and one whose (multiple) correlation with the features
    before it is above 0.9999; values come before flags, in the frame's order.

    Parameters
    ----------
    fill : {column: value} used as it stands instead of the median. A column the frame lacks is an error.
    lower, upper : quantiles between 0 and 1.

    Attributes (plain JSON)
    -----------------------
    indices_ : {column: {"lower", "upper", "fill"}}, the columns that ``transform`` needs
    features_ : {feature: {"column", "kind": "value" or "missing", "mean", "scale"}}, in output order
    dropped_ : {column or flag: reason}
    """

    def __init__(self, fill=None, lower=0.01, upper=0.99):
        self.fill = fill
        self.lower = lower
        self.upper = upper

    def fit(self, frame: pd.DataFrame, y=None) -> "IndexTransformer":
        """Raises ModelFitError, which names the column, for text, infinity, doubled names, or when nothing is left."""
        check_frame(frame)
        fill = self._checked_fill(frame)
        if not 0 <= self.lower < self.upper <= 1:
            raise ModelFitError(f"lower {self.lower} and upper {self.upper} must be quantiles, in that order")
        self.indices_, self.features_, self.dropped_ = {}, {}, {}
        values, flags = {}, {}
        for column in frame:
            raw = numbers(frame, column)
            gaps = np.isnan(raw)
            if gaps.all():
                self.dropped_[column] = "no value in training"
                continue
            self.indices_[column] = self._limits(raw[~gaps], fill.get(column))
            values[column] = ("value", column, _tidied(raw, self.indices_[column]))
            if gaps.any():
                flags[f"{column}_missing"] = ("missing", column, gaps.astype(float))
        if clash := values.keys() & flags.keys():
            raise ModelFitError(f"{min(clash)} is both a column and the flag of another column's gaps: rename it")
        self._freeze(values | flags)
        used = {feature["column"] for feature in self.features_.values()}
        self.indices_ = {column: limits for column, limits in self.indices_.items() if column in used}
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features, (n_rows, n_features), on the frame's index. A needed column may be empty but not absent."""
        return pd.DataFrame(dict(self.iter_features(frame)), index=frame.index, columns=list(self.features_))

    def iter_features(
        self, frame: pd.DataFrame, columns: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The same one feature at a time, for tables that should not be in memory twice; only those of ``columns``."""
        check_is_fitted(self)
        columns = self.indices_ if columns is None else columns
        if absent := [column for column in self.indices_ if column in columns and column not in frame]:
            raise ModelFitError(f"the table lacks the column {', '.join(absent)} this model was fitted on")
        for name, feature in self.features_.items():
            if feature["column"] not in columns:
                continue
            raw = numbers(frame, feature["column"])
            if feature["kind"] == "missing":
                values = np.isnan(raw).astype(float)
            else:
                values = _tidied(raw, self.indices_[feature["column"]])
            values -= feature["mean"]
            values /= feature["scale"]
            yield name, values

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        check_is_fitted(self)
        return np.array(list(self.features_), dtype=object)

    def to_dict(self) -> dict:
        """Everything fitted, as plain JSON."""
        check_is_fitted(self)
        return copy.deepcopy({"indices": self.indices_, "features": self.features_, "dropped": self.dropped_})

    @classmethod
    def from_dict(cls, document: dict) -> "IndexTransformer":
        transformer = cls()
        document = copy.deepcopy(document)
        transformer.indices_ = document["indices"]
        transformer.features_ = document["features"]
        transformer.dropped_ = document["dropped"]
        return transformer

    def _checked_fill(self, frame: pd.DataFrame) -> dict[str, float]:
        fill = dict(self.fill or {})
        if unknown := sorted(fill.keys() - set(frame.columns)):
            raise ModelFitError(f"fill names {', '.join(unknown)}, which the training table lacks")
        if bad := [column for column, value in fill.items() if not np.isfinite(value)]:
            raise ModelFitError(f"fill of {', '.join(bad)} is not a finite number")
        return fill

    def _limits(self, observed: np.ndarray, fill: float | None) -> dict[str, float]:
        lower, upper = np.quantile(observed, [self.lower, self.upper])
        return {
            "lower": float(lower),
            "upper": float(upper),
            "fill": float(np.median(observed) if fill is None else fill),
        }

    def _freeze(self, candidates: Mapping[str, tuple]) -> None:
        standardised = {}
        for name, (kind, column, values) in candidates.items():
            mean, scale = float(values.mean()), float(values.std())
            if scale <= 1e-12 * np.abs(values).max():
                self.dropped_[name] = "constant in training after clipping and filling"
                continue
            self.features_[name] = {"column": column, "kind": kind, "mean": mean, "scale": scale}
            standardised[name] = (values - mean) / scale
        if not standardised:
            raise ModelFitError(f"no column of {', '.join(candidates) or 'the table'} varies in training")
        for name, reason in _collinear(standardised).items():
            self.dropped_[name] = reason
            del self.features_[name]


def check_frame(frame: pd.DataFrame) -> None:
    """Refuse what is not a table with rows and named columns."""
    if not isinstance(frame, pd.DataFrame):
        raise ModelFitError(f"a pandas DataFrame with named columns is needed, not {type(frame).__name__}")
    if frame.empty:
        raise ModelFitError("the training table is empty")
    if not frame.columns.is_unique or not all(isinstance(column, str) for column in frame):
        raise ModelFitError("column names must be texts, each once")


def numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, gaps as NaN; text and infinity are a ModelFitError."""
    try:
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ModelFitError(f"column {column} is not numeric") from None
    if np.isinf(values).any():
        raise ModelFitError(f"column {column} holds an infinite value: make it a number or leave it empty")
    return values


def _tidied(raw: np.ndarray, limits: Mapping[str, float]) -> np.ndarray:
    clipped = np.clip(raw, limits["lower"], limits["upper"])
    clipped[np.isnan(clipped)] = limits["fill"]
    return clipped


def _collinear(standardised: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Which features follow from the ones before them, and from which."""
    names = list(standardised)
    with threadpool_limits(1):
        table = np.column_stack(list(standardised.values()))
        correlation = table.T @ table / len(table)
        kept, reasons = [0], {}
        for j in range(1, len(names)):
            row = correlation[kept, j]
            weights = np.linalg.solve(correlation[np.ix_(kept, kept)], row)
            nearest = int(np.abs(row).argmax())
            if abs(row[nearest]) > _COLLINEAR:
                reasons[names[j]] = f"moves with {names[kept[nearest]]} (r = {row[nearest]:.5f})"
            elif weights @ row > _COLLINEAR**2:
                origins = [names[k] for k, weight in zip(kept, weights, strict=True) if abs(weight) > 0.01]
                reasons[names[j]] = f"follows from {', '.join(origins)}"
            else:
                kept.append(j)
    return reasons
