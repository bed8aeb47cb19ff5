"""The utility's service: outages of feeders, the contacts they cause, satisfaction surveys."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.sample.customers.population import ACTIVE, Block
from pipeline.sample.money.open_bills import NEVER
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now

DIMENSIONS = ("reliability", "billing", "contact")
CONTACTS = ("outage_report", "voltage_complaint", "complaint", "enquiry")
_UNPLANNED, _PLANNED = 0.25, 0.08  # outages per feeder and month
_MAINTAINED_IN = 10  # October: the first feeder, then each a month after the one before, once a year
_REPORTS = 0.02  # of the customers on a dark feeder
_UNPROMPTED = 0.006  # contacts per customer and month
_PANEL = 50  # of 1,000 customers; of these
_SURVEYED = 0.5  # are asked each quarter


@dataclass
class Outages:
    """Unplanned outages of a month, per feeder: when it went dark (NEVER: it did not) and for how many hours."""

    began: np.ndarray
    hours: np.ndarray


def outages(feeders: int, now: Now) -> Outages:
    """Write the month's outages; a planned one is announced this month and may be of the next."""
    dark = np.flatnonzero(now.happens(_UNPLANNED, feeders))
    n = len(dark)
    began = now.first_day * c.DAY + now.rng.integers(0, (now.next_first_day - now.first_day) * 24 - 12, n) * c.HOUR
    hours = np.minimum(now.rng.exponential(2.5, n) + 0.2, 11)
    ends = began + (hours * c.HOUR).astype(np.int64)
    _put_outages(now, dark, announced=None, starts=began, ends=ends, letter=b"U")

    planned = np.flatnonzero(now.happens(_PLANNED, feeders))
    n = len(planned)
    announced = now.daytime(now.some_day(n))
    starts = announced // c.DAY * c.DAY + now.rng.integers(2, 11, n) * c.DAY + 9 * c.HOUR
    ends = starts + now.rng.integers(1, 7, n) * c.HOUR
    _put_outages(now, planned, announced=announced, starts=starts, ends=ends, letter=b"P")

    maintained = np.flatnonzero((np.arange(feeders) + _MAINTAINED_IN) % 12 == now.name.month % 12)
    announced = np.full(len(maintained), (now.first_day + 13) * c.DAY + 10 * c.HOUR)
    starts = announced // c.DAY * c.DAY + 8 * c.DAY + 9 * c.HOUR
    _put_outages(now, maintained, announced=announced, starts=starts, ends=starts + 3 * c.HOUR, letter=b"M")

    found = Outages(np.full(feeders, NEVER, np.int64), np.zeros(feeders))
    found.began[dark], found.hours[dark] = began, hours
    return found


def hear(block: Block, dark: Outages, now: Now) -> None:
    """Contacts and surveys of a block's customers."""
    active = block.status == ACTIVE
    began = dark.began[block.feeder]
    eager = np.exp(0.8 * np.sin(block.first + np.arange(len(block)) * 1.7))  # some always call, some never
    chance = _REPORTS * eager * (1 + dark.hours[block.feeder] / 4)
    calls = active & (began != NEVER) & now.happens(chance)
    who = np.flatnonzero(calls)
    month_end = now.next_first_day * c.DAY
    at = np.minimum(began[who] + now.rng.integers(60, 20 * 3600, len(who)) * c.SECOND, month_end - 120 * c.SECOND)
    _put_contacts(now, block, who, code=b"0", kind=np.zeros(len(who), int), at=at)

    who = np.flatnonzero(active & now.happens(_UNPROMPTED, len(block)))
    at = now.daytime(now.some_day(len(who)))
    kind = now.rng.choice(np.arange(1, len(CONTACTS)), len(who), p=(0.15, 0.25, 0.6))
    _put_contacts(now, block, who, code=b"1", kind=kind, at=at)

    if now.name.month % 3 == 0:
        _survey(block, active, dark, now)


def _survey(block: Block, active: np.ndarray, dark: Outages, now: Now) -> None:
    """A panel is asked again and again, so that what moves its satisfaction can be seen."""
    place = block.first + np.arange(len(block))
    panel = place * 7919 % 1000 >= 1000 - _PANEL
    asked = np.flatnonzero(active & panel & now.happens(_SURVEYED, len(block)))
    who = np.repeat(asked, len(DIMENSIONS))
    n, dimension = len(who), np.tile(np.arange(len(DIMENSIONS)), len(asked))
    on = now.first_day + np.repeat(now.rng.integers(0, 28, len(asked)), len(DIMENSIONS))
    expected = np.clip(np.rint(7.5 + now.rng.standard_normal(n)), 1, 10)
    service = 7.4 - 0.35 * dark.hours[block.feeder[who]] * (dimension == 0) + 0.25 * block.creditworthiness[who]
    perceived = np.clip(np.rint(service + 1.2 * now.rng.standard_normal(n)), 1, 10)
    cares = 0.6 + 0.2 * (block.segment[who] > 0) + 0.4 * np.sin(1.3 * place[who])  # some more, some less
    content = np.clip(np.rint(7 + cares * (perceived - expected) + now.rng.standard_normal(n)), 1, 10)
    now.put(
        "satisfaction_surveys",
        c.text(c.joined(n, b"Q", block.numbers.take(who, axis=0), b"-", now.codes(n), c.digits(dimension, 1))),
        c.text(block.ids.take(who, axis=0)),
        c.days(on),
        c.choice(DIMENSIONS, dimension),
        c.whole(expected),
        c.whole(perceived),
        c.whole(content),
        c.instants(on.astype(np.int64) * c.DAY + 19 * c.HOUR),
    )


def _put_outages(
    now: Now, feeder: np.ndarray, *, announced: np.ndarray | None, starts: np.ndarray, ends: np.ndarray, letter: bytes
) -> None:
    """Outages of feeders, at most one of a letter a month; one that was not announced is recorded once it is over."""
    n, code = len(feeder), c.digits(feeder + 1, 6)
    planned = np.full(n, announced is not None)
    now.put(
        "outages",
        c.text(c.joined(n, b"O", code, b"-", now.codes(n), letter)),
        c.text(c.joined(n, b"F", code)),
        c.flags(planned),
        c.nulls(n, pa.timestamp("us", "UTC")) if announced is None else c.instants(announced),
        c.instants(starts),
        c.instants(ends),
        c.instants(ends + 60 * c.SECOND if announced is None else announced),
    )


def _put_contacts(now: Now, block: Block, who: np.ndarray, *, code: bytes, kind: np.ndarray, at: np.ndarray) -> None:
    """Contacts, at most one of a code for a customer and month."""
    n = len(who)
    now.put(
        "service_contacts",
        c.text(c.joined(n, b"T", block.numbers.take(who, axis=0), b"-", now.codes(n), code)),
        c.text(block.ids.take(who, axis=0)),
        c.choice(CONTACTS, kind),
        c.instants(at),
        c.instants(at + 30 * c.SECOND),
    )
