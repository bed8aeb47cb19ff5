"""The bills of a month: what was used, what it costs, what was billed wrongly and put right."""

from dataclasses import dataclass

import numpy as np

from pipeline.sample.customers.population import ACTIVE, Block
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now
from pipeline.sample.rows.records import DAYS_TO_PAY, bill_ids, put_bills, put_payments

ORIGINAL, REPLACEMENT, CANCELLATION = range(3)

# Share of a mean month, by segment and month of the year (January first).
_SEASONS = np.array(
    [
        [1.30, 1.20, 1.05, 0.90, 0.80, 0.90, 1.05, 1.05, 0.85, 0.85, 0.95, 1.10],
        [1.05, 1.00, 0.95, 0.90, 0.95, 1.05, 1.15, 1.15, 1.00, 0.90, 0.90, 1.00],
        [0.95, 1.00, 1.05, 1.00, 1.00, 1.05, 1.00, 0.90, 1.05, 1.05, 1.05, 0.90],
        [0.40, 0.45, 0.80, 1.20, 1.50, 1.80, 1.80, 1.50, 1.00, 0.70, 0.45, 0.40],
        [1.25, 1.20, 1.10, 0.90, 0.85, 0.90, 0.85, 0.80, 0.90, 1.00, 1.10, 1.15],
    ],
    np.float32,
)
_FIXED_CHARGE = np.array([8.0, 25.0, 180.0, 20.0, 40.0])
_PRICE_PER_KWH = np.array([0.24, 0.21, 0.13, 0.16, 0.18])
_ESTIMATED, _CANCELLED, _CANCELLED_FOR_GOOD, _RECORDED_LATE = 0.03, 0.004, 0.3, 0.002


@dataclass
class Bills:
    """Bills to be paid; ``customer`` is the position in the block."""

    customer: np.ndarray
    kind: np.ndarray
    issued: np.ndarray
    amount: np.ndarray  # hundredths

    @property
    def due(self) -> np.ndarray:
        return self.issued + DAYS_TO_PAY

    def __len__(self) -> int:
        return len(self.customer)


def issue(block: Block, now: Now) -> Bills:
    """Write the month's bills, and return those that are valid and known by the month's end."""
    who = np.flatnonzero((block.status == ACTIVE) & (block.connected_on < now.first_day))
    n = len(who)
    kwh = _consumption(block, who, now)
    amount = _price(block, who, kwh)
    issued = now.first_day + block.issue_day[who]
    fate = now.rng.random(n, np.float32)
    cancelled, late = fate < _CANCELLED, fate > 1 - _RECORDED_LATE
    ids = bill_ids(now, block, who, kind=np.full(n, ORIGINAL))
    estimated = now.happens(_ESTIMATED, n)
    lag = now.rng.integers(1, 3, late.sum())
    booked = now.calendar.first_day(now.month + lag) + block.issue_day[who[late]]
    for rows, behind, day in ((~late, None, issued[~late]), (late, lag, booked)):
        put_bills(
            now,
            block,
            who[rows],
            ids=ids[rows],
            issued=issued[rows],
            amount=amount[rows],
            kwh=kwh[rows],
            estimated=estimated[rows],
            recorded=day * c.DAY + 5 * c.HOUR + now.rng.integers(0, 7200, len(day)) * c.SECOND,
            lag=behind,
        )
    # What comes late into the books was paid in time all the same; its payment is booked after it, in the same month.
    in_time = issued[late] + DAYS_TO_PAY // 2
    put_payments(now, block, who[late], bills=ids[late], sequence=1, paid_on=in_time, amount=amount[late], lag=lag)
    right = _correct(block, who[cancelled], now, wrong=ids[cancelled], issued=issued[cancelled], kwh=kwh[cancelled])
    good = ~cancelled & ~late
    return Bills(
        customer=np.concatenate([who[good], right.customer]),
        kind=np.concatenate([np.full(good.sum(), ORIGINAL), right.kind]),
        issued=np.concatenate([issued[good], right.issued]),
        amount=np.concatenate([amount[good], right.amount]),
    )


def _consumption(block: Block, who: np.ndarray, now: Now) -> np.ndarray:
    """kWh in thousandths."""
    season = _SEASONS[block.segment[who], now.name.month - 1]
    wobble = block.noise[who] * now.rng.standard_normal(len(who), np.float32)
    trend = block.growth[who] * np.float32(now.month / 12)
    return (block.median_kwh[who] * season * np.exp(wobble + trend) * 1000).astype(np.int64)


def _price(block: Block, who: np.ndarray, kwh: np.ndarray) -> np.ndarray:
    """Hundredths, from kWh in thousandths."""
    segment = block.segment[who]
    return np.rint(100 * (_FIXED_CHARGE[segment] + _PRICE_PER_KWH[segment] * kwh / 1000)).astype(np.int64)


def _correct(block: Block, who: np.ndarray, now: Now, *, wrong: c.Bytes, issued: np.ndarray, kwh: np.ndarray) -> Bills:
    """Cancel some bills days after they were issued, most with a lower bill in their place; return those bills."""
    n = len(who)
    issued = issued + now.rng.integers(4, 8, n)
    replaced = ~now.happens(_CANCELLED_FOR_GOOD, n)
    kind = np.where(replaced, REPLACEMENT, CANCELLATION)
    read = np.where(replaced, (kwh * now.rng.uniform(0.6, 0.95, n)).astype(np.int64), 0)
    amount = np.where(replaced, _price(block, who, read), -_price(block, who, kwh))
    put_bills(
        now,
        block,
        who,
        ids=bill_ids(now, block, who, kind=kind),
        issued=issued,
        amount=amount,
        kwh=read,
        estimated=np.zeros(n, bool),
        recorded=now.daytime(issued),
        cancels=wrong,
    )
    return Bills(who[replaced], kind[replaced], issued[replaced], amount[replaced])
