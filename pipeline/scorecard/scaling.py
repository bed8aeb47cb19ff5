"""Log-odds to points and back."""

import math
from dataclasses import dataclass

from pipeline.scorecard.columns import Numbers
from pipeline.scorecard.errors import ModelFitError


@dataclass(frozen=True)
class Scorecard:
    """``points`` at good:bad odds of ``odds``:1, and ``pdo`` points more double the odds; a higher score is better."""

    points: float = 600
    odds: float = 50
    pdo: float = 20

    def __post_init__(self) -> None:
        if not math.isfinite(self.points) or not (0 < self.odds < math.inf and 0 < self.pdo < math.inf):
            raise ModelFitError(f"{self}: points must be finite, odds and pdo positive")

    @property
    def factor(self) -> float:
        return self.pdo / math.log(2)

    @property
    def offset(self) -> float:
        return self.points - self.factor * math.log(self.odds)

    def score(self, log_odds: Numbers) -> Numbers:
        """Points for log-odds of default, elementwise."""
        return self.offset - self.factor * log_odds

    def log_odds(self, score: Numbers) -> Numbers:
        """Log-odds of default for points, elementwise: the inverse of ``score``."""
        return (self.offset - score) / self.factor
