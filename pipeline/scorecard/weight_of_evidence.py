"""Weight of evidence: an index cut into monotone bins, each worth the log of how much more good than bad it holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.scorecard import sql
from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError

DIRECTIONS = {"+": 1, "-": -1}
_FINE = 1000


@dataclass(frozen=True)
class WoeBins:
    """Bins of one index and what each is worth; ``transform`` gives ln(share of goods / share of defaults).

    Higher is better credit, whatever the index's own direction (Siddiqi, *Credit Risk Scorecards*). Bin i holds
    edges[i - 1] < value <= edges[i]. A gap and every sentinel (a number that is a code, 96 say) have bins of their own,
    outside the monotone order. Additive smoothing: each bin counts one more of the rarer class, with as many of the
    other as go with it on average, so that a small bin is worth little and no bin is worth infinity.

    Attributes
    ----------
    edges : (n_bins - 1,) rising; woe : (n_bins,), strictly monotone; missing : worth of a gap
    sentinels : {code: worth}
    information_value : sum over all bins of (share of goods - share of defaults) * woe
    """

    edges: tuple[float, ...]
    woe: tuple[float, ...]
    missing: float
    sentinels: dict[float, float]
    information_value: float

    @classmethod
    def fit(
        cls,
        values: Numbers,
        y: Numbers,
        *,
        direction: str | None = None,
        sentinels: Sequence[float] = (),
        fill: float | None = None,
        max_bins: int = 8,
        min_share: float = 0.05,
    ) -> "WoeBins":
        """values (n_rows,) with gaps as NaN, y 1 for default.

        direction "+" (more is better), "-", or None: as the data have it. Edges are those of a decision tree under a
        monotonic constraint, at most ``max_bins`` leaves of ``min_share`` of the values at least; neighbours whose
        smoothed worth would still break the order are merged. What training has no gap or sentinel to learn from is
        worth the bin of ``fill``, or of the median.
        """
        values, y = np.asarray(values, dtype=np.float64), np.asarray(y)
        if y.all() or not y.any():
            raise ModelFitError("both defaults (1) and others (0) are needed to bin an index by them")
        coded = {code: values == code for code in map(float, sentinels)}
        gaps = np.isnan(values)
        usual = ~np.logical_or.reduce([gaps, *coded.values()])
        if not usual.any():
            raise ModelFitError("an index to be binned holds gaps and sentinels only")
        fine, counts = _fine_counts(values[usual], y[usual])
        worth = _Worth.against(y)
        sign = DIRECTIONS[direction] if direction else _direction(counts)
        cuts, pools = _merged(_tree_cuts(counts, -sign, max_bins, min_share), counts, worth, sign)
        edges = fine[cuts]
        woe = tuple(worth.of(*pool) for pool in pools)
        neutral = woe[int(np.searchsorted(edges, np.median(values[usual]) if fill is None else fill))]
        missing, apart = _count(y[gaps]), {code: _count(y[rows]) for code, rows in coded.items()}
        return cls(
            edges=tuple(edges.tolist()),
            woe=woe,
            missing=worth.of(*missing) if any(missing) else neutral,
            sentinels={code: worth.of(*count) if any(count) else neutral for code, count in apart.items()},
            information_value=sum(worth.information(*count) for count in (*pools, *apart.values(), missing)),
        )

    def transform(self, values: Numbers) -> np.ndarray:
        """(n_rows,) weights of evidence; never NaN."""
        values = np.asarray(values, dtype=np.float64)
        worth = np.array(self.woe)[np.searchsorted(self.edges, values)]
        worth[np.isnan(values)] = self.missing
        for code, of_code in self.sentinels.items():
            worth[values == code] = of_code
        return worth

    def to_sql(self, column: str, dialect: str, value: Callable[[float], str] = sql.number) -> str:
        """The same as an expression over a column; ``value`` says what becomes of a bin's worth."""
        x = sql.double(column, dialect)
        return sql.case(
            (f"{x} is null", value(self.missing)),
            *((f"{x} = {sql.number(code)}", value(worth)) for code, worth in self.sentinels.items()),
            *((f"{x} <= {sql.number(edge)}", value(worth)) for edge, worth in zip(self.edges, self.woe, strict=False)),
            otherwise=value(self.woe[-1]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON that ``from_dict`` reads back to the bit."""
        return {
            "edges": list(self.edges),
            "woe": list(self.woe),
            "missing": self.missing,
            "sentinels": [[code, worth] for code, worth in self.sentinels.items()],
            "information_value": self.information_value,
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "WoeBins":
        return cls(
            edges=tuple(document["edges"]),
            woe=tuple(document["woe"]),
            missing=document["missing"],
            sentinels=dict(map(tuple, document["sentinels"])),
            information_value=document["information_value"],
        )


@dataclass(frozen=True)
class _Worth:
    """Smoothed weight of evidence of a bin of so many goods and bads, against all goods and bads."""

    goods: int
    bads: int

    @classmethod
    def against(cls, y: np.ndarray) -> "_Worth":
        return cls(*_count(y))

    def of(self, goods: int, bads: int) -> float:
        extra = 1 / min(self.goods, self.bads)
        return float(np.log((goods / self.goods + extra) / (bads / self.bads + extra)))

    def information(self, goods: int, bads: int) -> float:
        return (goods / self.goods - bads / self.bads) * self.of(goods, bads)


def _count(y: np.ndarray) -> tuple[int, int]:
    """Goods and bads."""
    bads = int(y.sum())
    return len(y) - bads, bads


def _fine_counts(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where edges may lie, values at up to _FINE quantiles, and the goods and bads up to each and beyond the last."""
    fine = np.unique(np.quantile(x, np.arange(1, _FINE) / _FINE, method="inverted_cdf"))
    places = np.searchsorted(fine, x)
    return fine, np.stack([np.bincount(places[y == k], minlength=len(fine) + 1) for k in (0, 1)], axis=1)


def _direction(counts: np.ndarray) -> int:
    """1 if more is better in these rows, by the mean place of the two classes."""
    goods, bads = counts.sum(axis=0)
    of_goods, of_bads = np.arange(len(counts)) @ counts
    return 1 if of_bads * goods <= of_goods * bads else -1


def _tree_cuts(counts: np.ndarray, constraint: int, max_bins: int, min_share: float) -> list[int]:
    """The places that end a leaf of the tree."""
    from sklearn.tree import DecisionTreeClassifier  # takes half a second to load, and few models bin

    places, classes = np.nonzero(counts)
    tree = DecisionTreeClassifier(
        criterion="entropy",
        max_leaf_nodes=max_bins,
        min_weight_fraction_leaf=min(min_share, 0.5),
        monotonic_cst=[constraint],
        random_state=0,
    ).fit(places.reshape(-1, 1), classes, sample_weight=counts[places, classes])
    thresholds = tree.tree_.threshold[tree.tree_.children_left >= 0]
    return sorted(int(np.floor(threshold)) for threshold in thresholds)


def _merged(cuts: list[int], counts: np.ndarray, worth: _Worth, sign: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Cuts and counts once neighbours that the order forbids are one bin: pooled adjacent violators."""
    kept: list[int] = []
    pools: list[tuple[int, int]] = []
    for start, end in pairwise([-1, *cuts, len(counts) - 1]):
        goods, bads = map(int, counts[start + 1 : end + 1].sum(axis=0))
        while pools and sign * (worth.of(goods, bads) - worth.of(*pools[-1])) <= 0:
            goods, bads = goods + pools[-1][0], bads + pools[-1][1]
            del pools[-1], kept[-1]
        pools.append((goods, bads))
        kept.append(end)
    return kept[:-1], pools
