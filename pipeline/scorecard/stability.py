"""Has the population moved: stability indices over bins that were frozen in training. All of it works from counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pipeline.scorecard import sql
from pipeline.scorecard.columns import Numbers, numbers
from pipeline.scorecard.errors import ModelFitError

FLOOR = 1e-4
SCORE = "score"


def psi(expected: Numbers, observed: Numbers, floor: float = FLOOR) -> float:
    """Population stability index of two distributions over the same bins, counts or shares.

    sum of (o - e) * ln(o / e) over the bins, a share below ``floor`` counted as ``floor``; psi(a, b) == psi(b, a).
    Below 0.1 is usually called stable, above 0.25 a shift. NaN where one of the two is empty.
    """
    expected, observed = (np.asarray(counts, dtype=np.float64) for counts in (expected, observed))
    if expected.shape != observed.shape or expected.ndim != 1:
        raise ModelFitError(f"distributions over different bins: {expected.shape} and {observed.shape}")
    if not (np.isfinite(expected) & np.isfinite(observed) & (expected >= 0) & (observed >= 0)).all():
        raise ModelFitError("a count or share of a bin is negative or missing")
    if not expected.any() or not observed.any():
        return np.nan
    e, o = (np.maximum(counts / counts.sum(), floor) for counts in (expected, observed))
    return float(np.sum((o - e) * np.log(o / e)))


@dataclass(frozen=True)
class Bins:
    """Frozen bins of one quantity and how many training rows fell into each.

    Numbers: bin i holds edges[i - 1] < value <= edges[i], the one after the last edge is open, the last is "missing".
    Categories: one bin each, then "unseen" for any other text, then "missing".

    Attributes
    ----------
    counts : training rows by bin, in that order; edges : rising, or None; categories : texts, or None
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None

    @classmethod
    def of_numbers(cls, values: Numbers, bins: int = 10) -> "Bins":
        """Bins between quantiles of the values (NaN is missing), fewer where values repeat.

        An edge lies half way to the next value there was, so that no rounding moves a row across it.
        """
        values = np.asarray(values, dtype=np.float64)
        distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        reached = np.cumsum(counts)
        wanted = np.arange(1, bins) / bins * (reached[-1] if len(reached) else 0)
        below = np.unique(np.searchsorted(reached, wanted))
        below = below[below < len(distinct) - 1]
        edges = distinct[below] / 2 + distinct[below + 1] / 2
        return cls(counts=(), edges=tuple(edges.tolist())).counted(values)

    @classmethod
    def of_categories(cls, values: Numbers, categories: Sequence[str] | None = None) -> "Bins":
        """A bin for each of the categories, or for each text that occurs; None or NaN is missing."""
        values = pd.Series(values, dtype=object)
        if categories is None:
            categories = sorted(map(str, values.dropna().unique()))
        return cls(counts=(), categories=tuple(categories)).counted(values)

    def counted(self, values: Numbers) -> "Bins":
        """The same bins with these rows' counts as the training's."""
        return replace(self, counts=tuple(self.count(values).tolist()))

    def moved(self, by: Callable[[float], float]) -> "Bins":
        """The bins of ``by(value)``, which must rise with the value."""
        return replace(self, edges=tuple(float(by(edge)) for edge in self.edges or ()))

    @property
    def labels(self) -> tuple[str, ...]:
        """One a bin, for people: "<= 0.5", "0.5 to 2", "> 2", "missing"; or the categories, "unseen", "missing"."""
        if self.edges is None:
            return (*self._texts, "unseen", "missing")
        if not self.edges:
            return ("any", "missing")
        edges = [f"{edge:.4g}" for edge in self.edges]
        between = (f"{low} to {high}" for low, high in pairwise(edges))
        return (f"<= {edges[0]}", *between, f"> {edges[-1]}", "missing")

    def count(self, values: Numbers) -> np.ndarray:
        """How many values fall into each bin, (n_bins,) integers. Counts of batches add up."""
        if self.edges is not None:
            values = np.asarray(values, dtype=np.float64)
            places = np.where(np.isnan(values), len(self.edges) + 1, np.searchsorted(self.edges, values))
            return np.bincount(places, minlength=len(self.edges) + 2)
        values = pd.Series(values, dtype=object)
        found = pd.Index(self._texts, dtype=object).get_indexer(values.map(str, na_action="ignore"))
        places = np.where(found < 0, len(self._texts) + values.isna().to_numpy(), found)
        return np.bincount(places, minlength=len(self._texts) + 2)

    @property
    def _texts(self) -> tuple[str, ...]:
        return self.categories or ()

    @property
    def unseen(self) -> int | None:
        """The position of the bin of texts that training had not; None for numbers."""
        return None if self.categories is None else len(self.categories)

    def to_sql(self, column: str, dialect: str) -> str:
        """The position of a row's bin (0 to n_bins - 1) as an expression over the column, to group by and count."""
        if self.edges is not None:
            x = sql.double(column, dialect)
            inside = [(f"{x} <= {sql.number(edge)}", str(place)) for place, edge in enumerate(self.edges)]
        else:
            x = sql.identifier(column)
            inside = [(f"{x} = {sql.text(name)}", str(place)) for place, name in enumerate(self._texts)]
        return sql.case((f"{x} is null", str(len(inside) + 1)), *inside, otherwise=str(len(inside)))


@dataclass(frozen=True)
class Baseline:
    """The bins of a model's score and of each of its indices: the ``monitoring`` part of its document.

    ``bins`` is {"score": Bins, column: Bins ...}, so no column may be called score.
    """

    bins: Mapping[str, Bins]

    def count(self, score: Numbers, frame: pd.DataFrame) -> dict[str, list[int]]:
        """How many rows fall into each bin, by name. Counts of batches add up."""
        counts = {SCORE: self.bins[SCORE].count(score).tolist()}
        for name, bins in self.bins.items():
            if name != SCORE:
                counts[name] = bins.count(frame[name] if bins.edges is None else numbers(frame, name)).tolist()
        return counts

    def drift(
        self,
        observed: Mapping[str, Sequence[int]],
        expected: Mapping[str, Sequence[int]] | None = None,
        *,
        limit: float = 0.25,
    ) -> pd.DataFrame:
        """One row per name: kind ("score": PSI, "index": CSI), psi, unseen, expected_rows, observed_rows, is_alarm.

        ``expected`` is another month's counts over the same bins; without it the training's. ``unseen`` counts the rows
        of a category that training had not; one is an alarm, and so is a psi of ``limit`` or more. A name that one of
        the two lacks has a psi of NaN.
        """
        expected = {name: bins.counts for name, bins in self.bins.items()} if expected is None else expected
        rows = []
        for name, bins in self.bins.items():
            e, o = (np.asarray(counts.get(name, [0] * len(bins.counts))) for counts in (expected, observed))
            unseen = int(o[bins.unseen]) if bins.unseen is not None else 0
            value = psi(e, o)
            rows.append(
                {
                    "name": name,
                    "kind": "score" if name == SCORE else "index",
                    "psi": value,
                    "unseen": unseen,
                    "expected_rows": int(e.sum()),
                    "observed_rows": int(o.sum()),
                    "is_alarm": unseen > 0 or value >= limit,
                }
            )
        return pd.DataFrame(rows).set_index("name")

    def with_score(self, bins: Bins) -> "Baseline":
        """The same with other bins of the score."""
        return Baseline({**self.bins, SCORE: bins})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON that ``from_dict`` reads back to the bit."""
        return {
            name: {"counts": list(bins.counts)}
            | ({"edges": list(bins.edges)} if bins.edges is not None else {"categories": list(bins.categories or ())})
            for name, bins in self.bins.items()
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Baseline":
        return cls(
            {
                name: Bins(
                    counts=tuple(bins["counts"]),
                    edges=tuple(bins["edges"]) if "edges" in bins else None,
                    categories=tuple(bins["categories"]) if "categories" in bins else None,
                )
                for name, bins in document.items()
            }
        )
