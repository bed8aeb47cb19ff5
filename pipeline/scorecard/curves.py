"""Curves of a verdict in a bounded number of points, none of which is a customer's row."""

from typing import Any

import numpy as np

POINTS = 200
BARS = 40


def roc(y: np.ndarray, risk: np.ndarray) -> list[list[float]]:
    """[false positive rate, true positive rate] from (0, 0) to (1, 1), flagging the highest risks first."""
    _, goods, bads = _cumulative(y, -risk)
    return _thinned(np.column_stack([[0.0, *goods], [0.0, *bads]]), along=np.append(0.0, goods + bads))


def cumulative_shares(y: np.ndarray, score: np.ndarray) -> list[list[float]]:
    """[score, share of goods with that score or less, the same of defaults], rising."""
    distinct, goods, bads = _cumulative(y, score)
    return _thinned(np.column_stack([distinct, goods, bads]), along=goods + bads)


def _cumulative(y: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct values, rising, and the shares of goods and of defaults up to each."""
    distinct, places = np.unique(values, return_inverse=True)
    goods, bads = (np.cumsum(np.bincount(places[y == k], minlength=len(distinct))) for k in (0, 1))
    return distinct, goods / goods[-1], bads / bads[-1]


def histogram(y: np.ndarray, score: np.ndarray) -> dict[str, list[Any]]:
    """Rows of either class in equal steps of the score, from the lowest to the highest."""
    low, high = score.min(), score.max()
    edges = np.linspace(low, high, BARS + 1) if high > low else np.array([low - 1, low + 1])
    counts = {name: np.histogram(score[y == k], edges)[0].tolist() for k, name in enumerate(("goods", "defaults"))}
    return {"edges": edges.tolist(), **counts}


def _thinned(points: np.ndarray, along: np.ndarray) -> list[list[float]]:
    """At most POINTS of them, evenly spread along a rising measure, both ends kept."""
    if len(points) > POINTS:
        wanted = np.linspace(along[0], along[-1], POINTS)
        points = points[np.unique(np.searchsorted(along, wanted).clip(max=len(points) - 1))]
    return points.tolist()
