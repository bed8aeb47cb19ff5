"""Default probability to a letter."""

from dataclasses import dataclass

import numpy as np

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError


@dataclass(frozen=True)
class GradeScale:
    """``names`` from best to worst; ``cutoffs[i]`` is the lowest probability of ``names[i + 1]``, itself included."""

    names: tuple[str, ...] = ("AAA", "AA", "A", "B", "C", "D")
    cutoffs: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.15)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "cutoffs", tuple(self.cutoffs))
        if len(self.cutoffs) != len(self.names) - 1:
            raise ModelFitError(f"{len(self.names)} grades need {len(self.names) - 1} cutoffs, not {len(self.cutoffs)}")
        if len(set(self.names)) != len(self.names):
            raise ModelFitError("a grade is named twice")
        if not all(a < b for a, b in zip((0, *self.cutoffs), (*self.cutoffs, 1), strict=True)):
            raise ModelFitError(f"cutoffs {self.cutoffs} must rise strictly between 0 and 1")

    def grade(self, probability: Numbers) -> Numbers:
        """The grade of each default probability; an array gives an array of texts, a number one text."""
        probability = np.asarray(probability, dtype=np.float64)
        if not ((probability >= 0) & (probability <= 1)).all():
            raise ModelFitError("a default probability is missing or outside 0 to 1")
        return np.array(self.names, dtype=object)[np.searchsorted(self.cutoffs, probability, side="right")]
