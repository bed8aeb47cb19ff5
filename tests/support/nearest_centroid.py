"""Which group a row is in, by numpy: the second path beside the SQL of ``NamedKMeans``."""

import numpy as np
import pandas as pd

from pipeline.scorecard.columns import numbers
from pipeline.scorecard.named_kmeans import NamedKMeans

REACH = 3.0


def nearest(means: NamedKMeans, frame: pd.DataFrame) -> np.ndarray:
    """The name of each row's group, (n_rows,): that of the nearest centroid, of two equally near the first."""
    columns = []
    for column, scale in means.scale_.items():
        cut = np.clip((numbers(frame, column) - scale["mean"]) / scale["deviation"], -REACH, REACH)
        columns.append(np.nan_to_num(cut, nan=0.0))
    distances = np.zeros((len(means.centroids_), len(frame)))
    for at, name in enumerate(means.centroids_):
        for column, value in zip(columns, means.standing(name).values(), strict=True):
            distances[at] += (column - value) ** 2
    return np.array(list(means.centroids_), dtype=object)[distances.argmin(axis=0)]
