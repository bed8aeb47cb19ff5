"""Has the population moved: stability indices over bins that were frozen in training. All of it works from counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

FLOOR = 1e-4


def psi(expected, observed, floor: float = FLOOR) -> float:
    """Population stability index of two distributions over the same bins, counts or shares.

    sum of (o - e) * ln(o / e) over the bins, shares below ``floor`` counted as ``floor``; psi(a, b) == psi(b, a). Below
    0.1 is usually called stable, above 0.25 a shift. NaN where one of the two is empty.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Bins:
    """Frozen bins of one quantity and how many training rows fell into each.

    Numbers: bin i holds edges[i - 1] < value <= edges[i]; the last but one bin is open, the last is "missing".
    Categories: one bin each, then "unseen" for any other text, then "missing".

    Attributes
    ----------
    edges : rising, or None; categories : texts, or None; counts : training rows by bin, in that order
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None

    @classmethod
    def of_numbers(cls, values, bins: int = 10) -> "Bins":
        """Bins between quantiles of the values (NaN is missing), fewer where values repeat."""
        raise NotImplementedError

    @classmethod
    def of_categories(cls, values) -> "Bins":
        """A bin for each text that occurs; None or NaN is missing."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """One a bin, for people: "<= 0.5", "> 0.5", "unseen", "missing"."""
        raise NotImplementedError

    def count(self, values) -> np.ndarray:
        """How many values fall into each bin, (n_bins,) integers. Counts of batches add up."""
        raise NotImplementedError

    def to_sql(self, column: str) -> str:
        """The position of a row's bin (0 to n_bins - 1) as an expression over the column, to group by and count."""
        raise NotImplementedError


@dataclass(frozen=True)
class Baseline:
    """The bins of a model's score and of each of its indices: the ``monitoring`` part of its document.

    ``bins`` is {"score": Bins, column: Bins ...}; an index may not be called score.
    """

    bins: Mapping[str, Bins]

    @classmethod
    def of(cls, score, frame: pd.DataFrame, columns: Sequence[str]) -> "Baseline":
        """From scores (n_rows,) and the index columns of the same rows; text columns become categories."""
        raise NotImplementedError

    def count(self, score, frame: pd.DataFrame) -> dict[str, list[int]]:
        """How many rows fall into each bin, by name. An absent column counts as missing throughout."""
        raise NotImplementedError

    def drift(
        self,
        observed: Mapping[str, Sequence[int]],
        expected: Mapping[str, Sequence[int]] | None = None,
    ) -> pd.DataFrame:
        """One row per name: kind ("score": PSI, "index": CSI), psi, unseen (rows in no training category),
        expected_rows, observed_rows.

        ``expected`` is another month's counts over the same bins; without it the training's.
        """
        raise NotImplementedError

    def to_dict(self) -> dict:
        raise NotImplementedError

    @classmethod
    def from_dict(cls, document: dict) -> "Baseline":
        raise NotImplementedError
