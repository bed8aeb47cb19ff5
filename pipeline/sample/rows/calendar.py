"""The months of a sample as day numbers."""

from datetime import date

import numpy as np

from pipeline.month import RatingMonth

_EPOCH = date(1970, 1, 1).toordinal()


class Calendar:
    """Months 0 ... ``months``-1, ending with ``last``; days count from 1970-01-01."""

    def __init__(self, months: int, last: RatingMonth) -> None:
        self.months = months
        self.names = list(RatingMonth.span(last - (months - 1), last))
        following = [*self.names, last + 1]
        self.first_days = np.array([month.first_day.toordinal() - _EPOCH for month in following], np.int64)
        self.codes = np.array([list(f"{month.year:04d}{month.month:02d}".encode()) for month in self.names], np.uint8)

    def first_day(self, months: np.ndarray) -> np.ndarray:
        """Of months that may lie beyond the sample, which all begin with the day after it."""
        return self.first_days[np.minimum(months, self.months)]
