"""The parameter rating of an index: a letter from A to D, and the same without steps, from 1 down to 0."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.expert import BANDS

Bounds = Sequence[float]
_LETTERS = pd.CategoricalDtype(list(BANDS))


def band(values: Numbers, bounds: Bounds, direction: str) -> pd.Categorical:
    """The letter of each value, a gap's missing. ``bounds`` of A, B and C from good to bad, included; worse is D."""
    good = _goodness(values, direction)
    levels = sum((good < bound).astype(np.int8) for bound in _goodness(bounds, direction))
    return pd.Categorical.from_codes(np.where(np.isnan(good), np.int8(-1), levels), dtype=_LETTERS)


def evaluation(values: Numbers, bounds: Bounds, direction: str) -> np.ndarray:
    """From 0 to 1, (n,), gaps NaN: 1 from the bound of A on, 2/3 at that of B, 1/3 at that of C, straight in between,
    and 0 as far beyond the bound of C as it is from that of B. Never falls where a value gets better."""
    a, b, c = _goodness(bounds, direction)
    return np.interp(_goodness(values, direction), [c - (b - c), c, b, a], [0, 1 / 3, 2 / 3, 1])


def _goodness(values: Numbers, direction: str) -> np.ndarray:
    """The values turned so that more is better."""
    values = np.asarray(values, dtype=np.float64)
    return values if direction == "+" else -values
