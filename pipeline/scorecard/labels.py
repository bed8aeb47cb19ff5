"""The default label."""

import numpy as np
import pandas as pd

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError


def checked_labels(y: Numbers, rows: int) -> np.ndarray:
    """y as (rows,) integers, 1 for default and 0 otherwise; anything else, a gap included, is a ModelFitError."""
    labels = pd.Series(np.asarray(y).ravel())
    if np.shape(y) != (rows,):
        raise ModelFitError(f"one label a row is needed: {rows} rows, labels of shape {np.shape(y)}")
    if not labels.isin([0, 1]).all():
        raise ModelFitError("labels must be 1 for default and 0 otherwise, without gaps")
    return labels.to_numpy(dtype=np.int64)
