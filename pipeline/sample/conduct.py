"""What else tells of a customer's credit: statements, ratings, violations, calibrations, accidents caused."""

import numpy as np
import pyarrow as pa

from pipeline.sample.customers.population import ACTIVE, SEGMENTS, Block
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now

RATINGS = ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "CC", "C", "D")
_RATED = 0.3  # share of the customers with a social credit rating
_RATING_LIMITS = np.array([-1.7, -1.1, -0.6, -0.1, 0.3, 0.8, 1.3, 1.8, 2.4])  # on minus creditworthiness
# Chance a month of an average customer, and how steeply it rises as credit falls.
_VIOLATIONS = {"theft": (1.5e-4, 1.2), "contract_breach": (3e-4, 0.6), "safety_hazard": (2e-4, 0.2)}
_PUBLISH = 0.85  # share of the customers that are not households and publish statements
_FISCAL_MONTHS = (12, 12, 12, 3, 6)  # a year ends mostly in December
_PUBLISHED_AFTER = (3, 4)  # months
_CALIBRATED_FROM = 40_000  # thousandths of a kVA
_ACCIDENTS = np.array([2e-5, 1e-3, 1.5e-2, 2e-3, 1e-3])  # a month, by segment


def record_conduct(block: Block, now: Now) -> None:
    """Everything of this module that is recorded in the month."""
    active = block.status == ACTIVE
    _violations(block, active, now)
    _statements(block, active, now)
    _ratings(block, active, now)
    _calibrations(block, active, now)
    _accidents(block, active, now)


def _violations(block: Block, active: np.ndarray, now: Now) -> None:
    for code, (kind, (rate, slope)) in enumerate(_VIOLATIONS.items()):
        who = np.flatnonzero(active & now.happens(rate * np.exp(-slope * block.creditworthiness)))
        n = len(who)
        on = now.some_day(n, 0, 24)
        resolved = on + now.rng.integers(0, 4, n)
        energy = (block.median_kwh[who] * now.rng.uniform(1, 6, n) * 1000).astype(np.int64)
        now.put(
            "violations",
            c.text(_dated_ids(b"V", block, who, now, code)),
            c.text(block.ids.take(who, axis=0)),
            c.constant(kind, n),
            c.days(on),
            c.days(resolved, now.happens(0.7, n)),
            c.decimal(energy, 3, np.full(n, kind == "theft")),
            c.decimal(energy // 1000 * 50 + 5000, 2, now.happens(0.9, n)),
            c.instants(now.daytime(resolved)),
        )


def _statements(block: Block, active: np.ndarray, now: Now) -> None:
    """Yearly balance sheets of customers that are not households, the sounder the better the credit."""
    place = block.first + np.arange(len(block))
    year_end = np.array(_FISCAL_MONTHS)[place % len(_FISCAL_MONTHS)]
    wait = np.array(_PUBLISHED_AFTER)[place // 7 % len(_PUBLISHED_AFTER)]
    publishes = (block.segment > 0) & (place * 7919 % 1000 < _PUBLISH * 1000)
    who = np.flatnonzero(active & publishes & ((year_end + wait - now.name.month) % 12 == 0))
    n = len(who)
    year_ends = [(now.name - months + 1).first_day for months in _PUBLISHED_AFTER]
    ends = np.array(year_ends, "datetime64[D]").astype(int)[np.searchsorted(_PUBLISHED_AFTER, wait[who])] - 1
    published = now.some_day(n, 2, 27)
    health = 0.8 * block.creditworthiness[who] - 0.3 * block.hardship[who] + 0.6 * now.rng.standard_normal(n)
    liquid = 0.35 + 0.2 * health + 0.3 * now.rng.standard_normal(n)
    assets = block.median_kwh[who] * 1_500 * np.exp(0.5 * now.rng.standard_normal(n))  # hundredths
    debt = assets * np.clip(0.55 - 0.12 * health + 0.08 * now.rng.standard_normal(n), 0.05, 1.2)
    current = assets * now.rng.uniform(0.2, 0.6, n)
    profit = assets * (0.04 + 0.03 * health + 0.02 * now.rng.standard_normal(n))
    loans = debt * now.rng.uniform(0.05, 0.2, n)
    on_schedule = loans * np.clip(0.97 + 0.04 * health + 0.03 * now.rng.standard_normal(n), 0, 1)
    figures = (assets, debt, current, current / np.exp(liquid), profit, assets - debt - profit / 2)
    now.put(
        "financial_statements",
        c.text(_dated_ids(b"S", block, who, now)),
        c.text(block.ids.take(who, axis=0)),
        c.days(ends),
        c.days(published),
        *(c.decimal(figure.astype(np.int64), 2) for figure in figures),
        c.decimal(loans.astype(np.int64), 2, block.segment[who] != SEGMENTS.index("public")),
        c.decimal(on_schedule.astype(np.int64), 2, block.segment[who] != SEGMENTS.index("public")),
        c.instants(now.daytime(published)),
    )


def _ratings(block: Block, active: np.ndarray, now: Now) -> None:
    """Some customers are rated once a year, each in a month of its own."""
    place = block.first + np.arange(len(block))
    rated = (place * 7919 % 1000 < _RATED * 1000) & (place % 12 == now.name.month - 1)
    who = np.flatnonzero(active & rated)
    n = len(who)
    seen = -block.creditworthiness[who] + 0.7 * now.rng.standard_normal(n)
    start = np.full(n, now.first_day)
    now.put(
        "social_credit_ratings",
        c.text(block.ids.take(who, axis=0)),
        c.choice(RATINGS, np.searchsorted(_RATING_LIMITS, seen)),
        c.days(start),
        c.days(start + 729, now.happens(0.5, n)),
        c.instants(now.daytime(start + now.rng.integers(0, 20, n))),
    )


def _calibrations(block: Block, active: np.ndarray, now: Now) -> None:
    """Large installations are calibrated once a year; the better the credit, the more surely on time."""
    place = block.first + np.arange(len(block))
    large = (block.capacity >= _CALIBRATED_FROM) & (place % 12 == now.name.month - 1)
    who = np.flatnonzero(active & large)
    n = len(who)
    due = now.some_day(n, 8, 15)
    on_time = now.happens(1 / (1 + np.exp(-1.5 - 0.8 * block.creditworthiness[who])))
    performed = due + np.where(on_time, -now.rng.integers(0, 8, n), now.rng.integers(1, 12, n))
    done = on_time | now.happens(0.6, n)
    now.put(
        "calibrations",
        c.text(_dated_ids(b"K", block, who, now)),
        c.text(block.ids.take(who, axis=0)),
        c.days(due),
        c.days(performed, done),
        c.instants(now.daytime(np.where(done, performed, due))),
    )


def _accidents(block: Block, active: np.ndarray, now: Now) -> None:
    chance = _ACCIDENTS[block.segment] * np.exp(-0.4 * block.creditworthiness)
    who = np.flatnonzero(active & now.happens(chance))
    n = len(who)
    on = now.some_day(n)
    severity = now.rng.choice(4, n, p=(0.6, 0.25, 0.1, 0.05)) + 1
    now.put(
        "grid_accidents",
        c.text(_dated_ids(b"G", block, who, now)),
        c.text(block.ids.take(who, axis=0)),
        c.days(on),
        c.whole(severity),
        pa.array((now.rng.lognormal(7, 1, n) * severity).astype(np.int64)),
        c.flags(now.happens(0.6, n)),
        c.instants(now.daytime(on)),
    )


def _dated_ids(letter: bytes, block: Block, who: np.ndarray, now: Now, code: int | None = None) -> c.Bytes:
    n = len(who)
    parts = (letter, block.numbers.take(who, axis=0), b"-", now.codes(n))
    return c.joined(n, *parts) if code is None else c.joined(n, *parts, str(code).encode())
