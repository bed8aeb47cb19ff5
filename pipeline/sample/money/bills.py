"""The bills of a month: what was used, what it costs, what was billed wrongly and put right, what was given back."""

from dataclasses import dataclass

import numpy as np

from pipeline.sample.customers.population import ACTIVE, CLOSED, Block
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now
from pipeline.sample.rows.records import DAYS_TO_PAY, bill_ids, put_bills, put_payments

ORIGINAL, REPLACEMENT, CANCELLATION, CREDIT_NOTE = range(4)

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
_SUN = np.array([0.35, 0.55, 0.9, 1.2, 1.5, 1.65, 1.7, 1.5, 1.1, 0.75, 0.45, 0.35], np.float32)
_FIXED_CHARGE = np.array([8.0, 25.0, 180.0, 20.0, 40.0])
_PRICE_PER_KWH = np.array([0.24, 0.21, 0.13, 0.16, 0.18])
_ESTIMATED, _CANCELLED, _CANCELLED_FOR_GOOD, _RECORDED_LATE = 0.03, 0.004, 0.3, 0.002
_CREDITED = 0.001  # of the customers who owe nothing, a month


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


@dataclass
class Wrong:
    """Bills to be cancelled; ``customer`` is the position in the block."""

    customer: np.ndarray
    ids: c.Bytes
    issued: np.ndarray
    kwh: np.ndarray  # thousandths
    months: np.ndarray
    since: np.ndarray


def issue(block: Block, now: Now) -> Bills:
    """Write the month's bills, and return what is to be paid of those that are valid and known by the month's end."""
    accounts = block.accounts
    using = np.flatnonzero((block.status == ACTIVE) & (block.connected_on < now.first_day))
    accounts.meter(using, _consumption(block, using, now), now.month)
    is_due = ((block.status == ACTIVE) & accounts.is_billed(now.month)) | (block.status == CLOSED)
    who = np.flatnonzero(is_due & (accounts.months > 0))
    n = len(who)
    kwh, months, since = accounts.read(who)
    amount = _price(block, who, kwh, months)
    issued = now.first_day + block.issue_day[who]
    fate = now.rng.random(n, np.float32)
    is_plain = accounts.is_plain[who]
    cancelled, late = is_plain & (fate < _CANCELLED), is_plain & (fate > 1 - _RECORDED_LATE)
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
            since=since[rows],
            recorded=day * c.DAY + 5 * c.HOUR + now.rng.integers(0, 7200, len(day)) * c.SECOND,
            lag=behind,
        )
    # What comes late into the books was paid in time all the same; its payment is booked after it, in the same month.
    in_time = issued[late] + DAYS_TO_PAY // 2
    put_payments(now, block, who[late], bills=ids[late], sequence=1, paid_on=in_time, amount=amount[late], lag=lag)
    wrong = Wrong(
        who[cancelled], ids[cancelled], issued[cancelled], kwh[cancelled], months[cancelled], since[cancelled]
    )
    right = _correct(block, wrong, now)
    left = accounts.settle(who, amount, block.ledger)
    good = ~cancelled & ~late & (left > 0)
    return Bills(
        customer=np.concatenate([who[good], right.customer]),
        kind=np.concatenate([np.full(good.sum(), ORIGINAL), right.kind]),
        issued=np.concatenate([issued[good], right.issued]),
        amount=np.concatenate([left[good], right.amount]),
    )


def give_credit(block: Block, now: Now) -> None:
    """Credit notes late in the month, some of them to customers who owe nothing: the next bills are lower by them."""
    given = (block.status == ACTIVE) & ~block.ledger.owers(len(block)) & now.happens(_CREDITED, len(block))
    who = np.flatnonzero(given)
    month = np.ones(len(who), int)
    usual = _price(block, who, (block.median_kwh[who] * 1000).astype(np.int64), month)
    amount = (usual * now.rng.uniform(0.3, 1.0, len(who))).astype(np.int64)
    issued = now.some_day(len(who), 24, 28)
    put_bills(
        now,
        block,
        who,
        ids=bill_ids(now, block, who, kind=np.full(len(who), CREDIT_NOTE)),
        issued=issued,
        amount=-amount,
        kwh=np.zeros(len(who), np.int64),
        is_measured=False,
        estimated=np.zeros(len(who), bool),
        recorded=now.daytime(issued),
    )
    block.accounts.credit[who] += amount


def _consumption(block: Block, who: np.ndarray, now: Now) -> np.ndarray:
    """kWh in thousandths."""
    season = _SEASONS[block.segment[who], now.name.month - 1]
    wobble = block.noise[who] * now.rng.standard_normal(len(who), np.float32)
    trend = block.growth[who] * np.float32(now.month / 12)
    fed_in = block.accounts.solar[who] * _SUN[now.name.month - 1]
    return (block.median_kwh[who] * (season * np.exp(wobble + trend) - fed_in) * 1000).astype(np.int64)


def _price(block: Block, who: np.ndarray, kwh: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Hundredths, from kWh in thousandths and the months covered."""
    segment = block.segment[who]
    return np.rint(100 * (_FIXED_CHARGE[segment] * months + _PRICE_PER_KWH[segment] * kwh / 1000)).astype(np.int64)


def _correct(block: Block, wrong: Wrong, now: Now) -> Bills:
    """Cancel bills days after they were issued, most with a lower bill in their place; return those bills."""
    n, who, kwh = len(wrong.customer), wrong.customer, wrong.kwh
    issued = wrong.issued + now.rng.integers(4, 8, n)
    replaced = ~now.happens(_CANCELLED_FOR_GOOD, n)
    kind = np.where(replaced, REPLACEMENT, CANCELLATION)
    read = np.where(replaced, (kwh * now.rng.uniform(0.6, 0.95, n)).astype(np.int64), 0)
    amount = np.where(replaced, _price(block, who, read, wrong.months), -_price(block, who, kwh, wrong.months))
    put_bills(
        now,
        block,
        who,
        ids=bill_ids(now, block, who, kind=kind),
        issued=issued,
        amount=amount,
        kwh=read,
        estimated=np.zeros(n, bool),
        since=wrong.since,
        recorded=now.daytime(issued),
        cancels=wrong.ids,
    )
    return Bills(who[replaced], kind[replaced], issued[replaced], amount[replaced])
