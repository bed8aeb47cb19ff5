"""The rating month, the only clock of the pipeline."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pipeline.errors import MonthError

_PATTERN = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class RatingMonth:
    """One calendar month, written YYYY-MM. Months order and subtract as one expects."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "RatingMonth":
        """Read ``YYYY-MM``; anything else is a MonthError."""
        match = _PATTERN.fullmatch(text or "")
        if not match or not 1900 <= int(match[1]) <= 9998:
            raise MonthError(f"{text!r} is not a rating month: write it as YYYY-MM, for example 2026-10")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> "RatingMonth":
        """The month that holds a date."""
        return cls(day.year, day.month)

    @classmethod
    def span(cls, first: "RatingMonth", last: "RatingMonth") -> Iterator["RatingMonth"]:
        """Every month from first to last, both included, in chronological order."""
        return (first + offset for offset in range(last - first + 1))

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def number(self) -> int:
        """202610 of October 2026."""
        return self.year * 100 + self.month

    def cutoff(self, timezone: str) -> datetime:
        """T: the first instant of the next month in the utility's time zone."""
        following = self + 1
        return datetime(following.year, following.month, 1, tzinfo=ZoneInfo(timezone))

    def __add__(self, months: int) -> "RatingMonth":
        index = self.year * 12 + self.month - 1 + months
        return RatingMonth(index // 12, index % 12 + 1)

    def __sub__(self, other: "RatingMonth | int"):
        if isinstance(other, RatingMonth):
            return (self.year - other.year) * 12 + self.month - other.month
        return self + -other

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
