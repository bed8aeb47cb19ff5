"""k-means whose groups have names, and keep them from one fit to the next."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from pipeline.scorecard.columns import Numbers, check_frame, numbers
from pipeline.scorecard.sql import DIALECTS, case, double, number, text

_REACH = 3.0  # standard deviations from the mean beyond which a value pulls no harder
_STARTS = 10

Centroids = Mapping[str, Mapping[str, float]]


class NamedKMeans:
    """Lloyd's k-means on standardised columns, one group for each of the ``archetypes``.

    A column is standardised by its mean and standard deviation in the fit and cut at 3 of these; a gap counts as the
    mean, a column that does not vary as no distance. Which group has which name is an assignment problem: the least sum
    of squared distances between the centroids and what the names stand for. That is the archetypes at first; afterwards
    it is the centroids of an earlier fit of the same names, and k-means starts from them too, so that a row that stays
    where it is hardly ever changes its group. Fewer different rows than names make fewer groups. Equal rows in equal
    order give equal bits on any number of threads.

    Parameters
    ----------
    archetypes : {name: {column: standard deviations above (+) or below (-) the mean}}; 0 where a column is not named.
    columns : the columns that count.
    seed : chooses where k-means starts without an earlier fit.

    Attributes (plain JSON)
    -----------------------
    scale_ : {column: {"mean", "deviation"}}, of the columns that vary
    centroids_ : {name: {column: value}}, in the columns' own units, names in the order of the archetypes
    """

    def __init__(self, archetypes: Centroids, columns: list[str], seed: int = 0) -> None:
        self.archetypes = archetypes
        self.columns = columns
        self.seed = seed

    def fit(self, frame: pd.DataFrame, before: Centroids | None = None) -> "NamedKMeans":
        """``before``: ``centroids_`` of an earlier fit; of no account if its names are not those of the archetypes."""
        check_frame(frame)
        if before is None or before.keys() != self.archetypes.keys():
            before = {}
        before = {name: before[name] for name in self.archetypes if name in before}
        self.scale_ = {column: scale for column in self.columns if (scale := _scale(numbers(frame, column)))}
        centres = self._centres(frame, before)
        of = dict(zip(self._names(centres, before), centres, strict=True))
        self.centroids_ = {name: self._in_units(of[name]) for name in self.archetypes if name in of}
        return self

    def select_lists(self, dialect: str, name: str = "nearest") -> Iterator[str]:
        """Column ``name``, the group of the nearest centroid, in SQL over the columns: select lists to be nested, each
        over all columns of the one before. Of two that are equally near it is the first."""
        places = {column: f"{name}_{place}" for place, column in enumerate(self.scale_)}
        if places:
            yield ", ".join(f"{_standardised_sql(*item, dialect)} as {places[item[0]]}" for item in self.scale_.items())
        distances = {group: f"{name}_to_{place}" for place, group in enumerate(self.centroids_)}
        yield ", ".join(f"{self._distance(group, places)} as {column}" for group, column in distances.items())
        *others, last = self.centroids_
        nearer = [
            (" and ".join(f"{distances[group]} <= {other}" for other in [*distances.values()][place:]), text(group))
            for place, group in enumerate(others, start=1)
        ]
        yield f"{case(*nearer, otherwise=text(last))} as {name}"

    def _distance(self, group: str, places: Mapping[str, str]) -> str:
        """The square of the distance from a centroid, added up in the order of the columns."""
        apart = (f"({places[column]} - {number(value)})" for column, value in self.standing(group).items())
        return " + ".join(f"{difference} * {difference}" for difference in apart) or "0e0"

    def standing(self, name: str) -> dict[str, float]:
        """Where a group lies, in standard deviations from the mean, by column of ``scale_``."""
        return self._standing(self.centroids_[name])

    def _standing(self, centroid: Mapping[str, float]) -> dict[str, float]:
        """Of a centroid of this fit or another; a column it does not know is left out."""
        known = {column: scale for column, scale in self.scale_.items() if column in centroid}
        return {column: float(_standardised(centroid[column], scale)) for column, scale in known.items()}

    def _standardised(self, frame: pd.DataFrame) -> list[np.ndarray]:
        return [_standardised(numbers(frame, column), scale) for column, scale in self.scale_.items()]

    def _in_units(self, centre: np.ndarray) -> dict[str, float]:
        scaled = zip(centre, self.scale_.items(), strict=True)
        return {column: float(value * scale["deviation"] + scale["mean"]) for value, (column, scale) in scaled}

    def _centres(self, frame: pd.DataFrame, before: Centroids) -> np.ndarray:
        """Centroids on the standardised scale, (groups, columns of ``scale_``)."""
        if not self.scale_:
            return np.zeros((1, 0))
        rows = np.column_stack(self._standardised(frame))
        k = min(len(self.archetypes), len(np.unique(rows, axis=0)))
        start: str | np.ndarray = "k-means++"
        starts = _STARTS
        earlier = [list(self._standing(centroid).values()) for centroid in before.values()]
        if k == len(earlier) and all(len(centroid) == len(self.scale_) for centroid in earlier):
            start, starts = np.array(earlier), 1
        with threadpool_limits(1):
            means = KMeans(k, init=start, n_init=starts, tol=0, random_state=self.seed, algorithm="lloyd")
            return means.fit(rows).cluster_centers_

    def _names(self, centres: np.ndarray, before: Centroids) -> list[str]:
        """The name of each centroid; where the earlier ones share no column with these, the archetypes decide."""
        stands_for, columns = self.archetypes, self.columns
        if shared := [column for column in self.scale_ if before and all(column in c for c in before.values())]:
            stands_for, columns = {name: self._standing(centroid) for name, centroid in before.items()}, shared
        found = [dict(zip(self.scale_, centre, strict=True)) for centre in centres]
        costs = [
            [sum((centre.get(c, 0.0) - wanted.get(c, 0.0)) ** 2 for c in columns) for wanted in stands_for.values()]
            for centre in found
        ]
        return [list(stands_for)[at] for at in linear_sum_assignment(costs)[1]]


def _scale(values: np.ndarray) -> dict[str, float] | None:
    """None where nothing varies."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    mean, deviation = float(values.mean()), float(values.std())
    return {"mean": mean, "deviation": deviation} if deviation > 1e-12 * np.abs(values).max() else None


def _standardised_sql(column: str, scale: Mapping[str, float], dialect: str) -> str:
    """The same as ``_standardised`` to the bit."""
    value, nan = double(column, dialect), f"cast('nan' as {DIALECTS[dialect]})"
    scaled = f"({value} - {number(scale['mean'])}) / {number(scale['deviation'])}"
    cut = f"least(greatest({scaled}, {number(-_REACH)}), {number(_REACH)})"
    return case((f"{value} is null or {value} = {nan}", "0e0"), otherwise=cut)


def _standardised(values: Numbers, scale: Mapping[str, float]) -> np.ndarray:
    cut = np.clip((values - scale["mean"]) / scale["deviation"], -_REACH, _REACH)
    return np.nan_to_num(cut, nan=0.0)
