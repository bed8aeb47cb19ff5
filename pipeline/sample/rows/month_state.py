"""The month that is being lived through, as the parts of the sample see it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.month import RatingMonth
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.calendar import Calendar
from pipeline.sample.rows.late_rows import Outbox


@dataclass(frozen=True)
class Now:
    """Month ``month`` of the calendar, its random stream, and where its rows go."""

    month: int
    calendar: Calendar
    rng: np.random.Generator
    outbox: Outbox

    @property
    def name(self) -> RatingMonth:
        return self.calendar.names[self.month]

    @property
    def first_day(self) -> int:
        return int(self.calendar.first_days[self.month])

    @property
    def last_day(self) -> int:
        return self.next_first_day - 1

    @property
    def next_first_day(self) -> int:
        return int(self.calendar.first_days[self.month + 1])

    def codes(self, rows: int) -> c.Bytes:
        """YYYYMM in each row."""
        return np.broadcast_to(self.calendar.codes[self.month], (rows, 6))

    def some_day(self, rows: int, low: int = 0, high: int = 28) -> np.ndarray:
        """Days of this month, the first one being 0, drawn from [low, high)."""
        return self.first_day + self.rng.integers(low, high, rows)

    def daytime(self, days: np.ndarray) -> np.ndarray:
        """An instant between 08:00 and 20:00 of each day."""
        return days * c.DAY + self.rng.integers(8 * 3600, 20 * 3600, len(days)) * c.SECOND

    def happens(self, chance: np.ndarray | float, rows: int | None = None) -> np.ndarray:
        """Draw for each element (or for so many rows) whether what has this chance happens."""
        return self.rng.random(np.size(chance) if rows is None else rows, np.float32) < chance

    def put(self, table: str, *columns: pa.Array) -> None:
        """Write rows that are recorded this month."""
        self.outbox.put(table, self.month, *columns)

    def put_behind(self, table: str, lag: np.ndarray | None, *columns: pa.Array) -> None:
        """Write rows that are recorded so many months later each; None: this month, all of them."""
        if lag is None:
            self.put(table, *columns)
        else:
            self.outbox.put_each(table, self.month + lag, *columns)
