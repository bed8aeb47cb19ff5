"""What changes when one thing does: values shocked by a share of their size, changes compared, changes ranked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.scorecard.columns import Numbers


def shocked(values: Numbers, direction: str, shock: float) -> np.ndarray:
    """Values made better by ``shock`` times their own size, or worse where the shock is negative; gaps stay gaps.

    Better is up where ``direction`` is "+" and down where it is "-", on either side of zero: at 0.1 a "+" index of
    -0.5 becomes -0.45. A value of zero has no size and stays. So a larger shock never makes a value worse.
    """
    values = np.asarray(values, dtype=np.float64)
    return values + (shock if direction == "+" else -shock) * np.abs(values)


@dataclass(frozen=True)
class Change:
    """A value before and after a shock, which is relative as well."""

    before: float
    after: float
    shock: float | None = None

    @property
    def absolute(self) -> float:
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """Of the value before; None where that is zero."""
        return self.absolute / self.before if self.before else None

    @property
    def elasticity(self) -> float | None:
        """Relative change for each unit of shock; None without a shock."""
        return self.relative / self.shock if self.shock and self.relative is not None else None


def ranks(sizes: Mapping[str, float | None]) -> dict[str, int]:
    """1 for what moved most, up or down; equals share the better rank, and what has no size comes last."""
    magnitude = {name: -1.0 if size is None else abs(size) for name, size in sizes.items()}
    return {name: 1 + sum(other > size for other in magnitude.values()) for name, size in magnitude.items()}
