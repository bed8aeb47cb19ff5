"""Raw indices to model features: winsorise or bin, fill, flag what was missing, standardise."""

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.scorecard.collinearity import collinear
from pipeline.scorecard.columns import Numbers, check_frame, numbers
from pipeline.scorecard.errors import ModelFitError
from pipeline.scorecard.features import values_of
from pipeline.scorecard.labels import checked_labels
from pipeline.scorecard.weight_of_evidence import DIRECTIONS, WoeBins


class IndexTransformer:
    """Learn on a frame of numeric columns with gaps what makes features of them; every number frozen at fit.

    A value feature is the column clipped to its training quantiles ``lower`` and ``upper``, gaps filled by ``fill`` or
    by the training median, minus its mean, over its standard deviation. A column with gaps in training also gives
    ``<column>_missing``, 0 or 1, standardised likewise. A **sentinel** is a number that is a code (96 for "refused"):
    it counts as a gap, but with a flag of its own, ``<column>_96``. A **binned** column gives one feature, its weight
    of evidence (WoeBins), with gaps and sentinels in bins of their own; it needs the labels.

    Not features, with the reason in ``dropped_``: a column without any value, one that is constant after clipping and
    filling or has but one bin, and one whose (multiple) correlation with the features before it is above 0.9999;
    values come before flags, in the frame's order.

    Parameters
    ----------
    fill : {column: value} used unchanged instead of the median. A column the frame lacks is an error.
    lower, upper : quantiles between 0 and 1.
    binned : columns to take by weight of evidence
    sentinels : {column: numbers that are codes}
    directions : {column: "+" more is better, "-"}, which way bins may go; without it, as the labels have it

    Attributes (plain JSON)
    -----------------------
    indices_ : the columns that ``transform`` needs, {column: {"lower", "upper", "fill", "sentinels"} or {"woe"}}
    features_ : {feature: {"column", "kind": "value", "missing", "sentinel" or "woe", "mean", "scale"}}, in output
        order; of a sentinel also its "code"
    dropped_ : {column or flag: reason}
    """

    indices_: dict[str, dict[str, Any]]
    features_: dict[str, dict[str, Any]]
    dropped_: dict[str, str]

    def __init__(
        self,
        fill: Mapping[str, float] | None = None,
        lower: float = 0.01,
        upper: float = 0.99,
        binned: Collection[str] = (),
        sentinels: Mapping[str, Collection[float]] | None = None,
        directions: Mapping[str, str] | None = None,
    ) -> None:
        self.fill = fill
        self.lower = lower
        self.upper = upper
        self.binned = binned
        self.sentinels = sentinels
        self.directions = directions

    def fit(self, frame: pd.DataFrame, y: Numbers = None) -> "IndexTransformer":
        """y (n_rows,) 1 for default, only needed for binned columns.

        Raises ModelFitError, which names the column, for text, infinity, doubled names, or when nothing is left.
        """
        check_frame(frame)
        self._check_parameters(frame)
        self.indices_, self.features_, self.dropped_ = {}, {}, {}
        values, flags = {}, {}
        for column in frame:
            raw = numbers(frame, column)
            codes = [float(code) for code in (self.sentinels or {}).get(column, ())]
            usual = ~np.isnan(raw) & ~np.isin(raw, codes)
            if not usual.any():
                self.dropped_[column] = "no value in training"
            elif column in self.binned:
                self.indices_[column] = {"woe": self._bins(column, raw, y, codes).to_dict()}
                values[column] = {"column": column, "kind": "woe"}
            else:
                self.indices_[column] = self._limits(column, raw[usual], codes)
                values[column] = {"column": column, "kind": "value"}
                if np.isnan(raw).any():
                    flags[f"{column}_missing"] = {"column": column, "kind": "missing"}
                for code in np.unique(raw[np.isin(raw, codes)]).tolist():
                    flags[f"{column}_{code:g}"] = {"column": column, "kind": "sentinel", "code": code}
        if clash := values.keys() & flags.keys():
            raise ModelFitError(f"{min(clash)} is both a column and the flag of another column's gaps: rename it")
        self._freeze(frame, values | flags)
        used = {feature["column"] for feature in self.features_.values()}
        self.indices_ = {column: index for column, index in self.indices_.items() if column in used}
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features, (n_rows, n_features), on the frame's index. A needed column may be empty but not absent."""
        return pd.DataFrame(dict(self.iter_features(frame)), index=frame.index, columns=list(self.features_))

    def iter_features(
        self, frame: pd.DataFrame, columns: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The same one feature at a time, for tables that should not be in memory twice; only those of ``columns``."""
        columns = self.indices_ if columns is None else columns
        if absent := [column for column in self.indices_ if column in columns and column not in frame]:
            raise ModelFitError(f"the table lacks the column {', '.join(absent)} this model was fitted on")
        for name, feature in self.features_.items():
            if feature["column"] not in columns:
                continue
            values = self._values(frame, feature)
            values -= feature["mean"]
            values /= feature["scale"]
            yield name, values

    def slope(self, feature: Mapping[str, Any]) -> int:
        """Whether an entry of ``features_`` rises (1) or falls (-1) with its index; 0 for a flag."""
        match feature["kind"]:
            case "value":
                return 1
            case "woe":
                woe = self.indices_[feature["column"]]["woe"]["woe"]
                return 1 if woe[-1] > woe[0] else -1
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Everything fitted, as plain JSON."""
        return copy.deepcopy({"indices": self.indices_, "features": self.features_, "dropped": self.dropped_})

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "IndexTransformer":
        transformer = cls()
        document = copy.deepcopy(document)
        transformer.indices_ = document["indices"]
        transformer.features_ = document["features"]
        transformer.dropped_ = document["dropped"]
        return transformer

    def _check_parameters(self, frame: pd.DataFrame) -> None:
        fill, sentinels = self.fill or {}, self.sentinels or {}
        for what, named in (("fill", fill), ("binned", self.binned), ("sentinels", sentinels)):
            if unknown := sorted(set(named) - set(frame.columns)):
                raise ModelFitError(f"{what} names {', '.join(unknown)}, which the training table lacks")
        if bad := [column for column, value in fill.items() if not np.isfinite(value)]:
            raise ModelFitError(f"fill of {', '.join(bad)} is not a finite number")
        if bad := [column for column, codes in sentinels.items() if not np.isfinite(list(codes)).all()]:
            raise ModelFitError(f"a sentinel of {', '.join(bad)} is not a finite number")
        if bad := [column for column, direction in (self.directions or {}).items() if direction not in DIRECTIONS]:
            raise ModelFitError(f"the direction of {', '.join(bad)} must be + or -")
        if not 0 <= self.lower < self.upper <= 1:
            raise ModelFitError(f"lower {self.lower} and upper {self.upper} must be quantiles, in that order")

    def _bins(self, column: str, raw: np.ndarray, y: Numbers, codes: list[float]) -> WoeBins:
        return WoeBins.fit(
            raw,
            checked_labels(y, len(raw)),
            direction=(self.directions or {}).get(column),
            sentinels=codes,
            fill=(self.fill or {}).get(column),
        )

    def _limits(self, column: str, usual: np.ndarray, codes: list[float]) -> dict[str, Any]:
        lower, upper = np.quantile(usual, [self.lower, self.upper])
        fill = (self.fill or {}).get(column, np.median(usual))
        limits = {"lower": float(lower), "upper": float(upper), "fill": float(fill)}
        return limits | ({"sentinels": codes} if codes else {})

    def _values(self, frame: pd.DataFrame, feature: Mapping[str, Any]) -> np.ndarray:
        return values_of(numbers(frame, feature["column"]), feature, self.indices_[feature["column"]])

    def _freeze(self, frame: pd.DataFrame, candidates: Mapping[str, dict[str, Any]]) -> None:
        standardised = {}
        for name, feature in candidates.items():
            values = self._values(frame, feature)
            mean, scale = float(values.mean()), float(values.std())
            if scale <= 1e-12 * np.abs(values).max():
                binned = feature["kind"] == "woe"
                self.dropped_[name] = f"constant in training after {'binning' if binned else 'clipping and filling'}"
                continue
            self.features_[name] = feature | {"mean": mean, "scale": scale}
            standardised[name] = (values - mean) / scale
        if not standardised:
            raise ModelFitError(f"no column of {', '.join(candidates) or 'the table'} varies in training")
        for name, reason in collinear(standardised).items():
            self.dropped_[name] = reason
            del self.features_[name]
