"""Weight of evidence: an index cut into monotone bins, each worth the log of how much more goods it holds than bads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WoeBins:
    """Bins of one index and what each is worth; ``transform`` gives ln(share of goods / share of defaults).

    Higher is better credit, whatever the index's own direction. Bin i holds edges[i - 1] < value <= edges[i]. A gap and
    every sentinel have bins of their own, outside the monotone order. Shares are Laplace-smoothed by half a customer
    a class and bin, so that no bin is worth infinity.

    Attributes
    ----------
    edges : (n_bins - 1,) rising; woe : (n_bins,), monotone; missing : worth of a gap; sentinels : {code: worth}
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
        values,
        y,
        *,
        direction: str | None = None,
        sentinels: Sequence[float] = (),
        max_bins: int = 8,
        min_share: float = 0.05,
    ) -> "WoeBins":
        """values (n_rows,) with gaps as NaN, y 1 for default; direction "+" (more is better), "-", or None: the data's.

        A gap that training had none of is worth what the bin of the training median is.
        """
        raise NotImplementedError

    def transform(self, values) -> np.ndarray:
        """(n_rows,) weights of evidence; never NaN."""
        raise NotImplementedError

    def to_sql(self, column: str) -> str:
        """The same as an expression over a quoted column."""
        raise NotImplementedError

    def to_dict(self) -> dict:
        raise NotImplementedError

    @classmethod
    def from_dict(cls, document: dict) -> "WoeBins":
        raise NotImplementedError
