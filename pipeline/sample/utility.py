"""The synthetic utility: month after month, block after block of its customers."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.month import RatingMonth
from pipeline.sample.conduct import record_conduct
from pipeline.sample.customers import behaviour
from pipeline.sample.customers.moves import arrive, move_out
from pipeline.sample.customers.population import CUSTOMERS_PER_FEEDER, Block, creditworthiness, settle
from pipeline.sample.faults import Dirt
from pipeline.sample.money.bills import give_credit, issue
from pipeline.sample.money.collections import act_on_debts, change_spells, write_register
from pipeline.sample.money.payments import pay, pay_ahead, pay_open
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.calendar import Calendar
from pipeline.sample.rows.late_rows import Outbox
from pipeline.sample.rows.month_state import Now
from pipeline.sample.service import Outages, hear, outages
from pipeline.source import contract
from pipeline.source.write import arrow_schema

BLOCK_CUSTOMERS = 50_000
_CLOSES_AFTER = 5 * c.HOUR  # into the next month
_SERVICE = 0x7365_7276


class Utility:
    """``customers`` over ``months`` months ending with ``last``; equal arguments give equal rows.

    ``dirty`` plants that share of faulty rows into each fact table, on top of the good ones; ``planted`` then names
    them. Memory grows with the customers (some 240 bytes each) and not with the months.
    """

    def __init__(self, customers: int, months: int, last: RatingMonth, seed: int = 7, dirty: float = 0.0) -> None:
        self.calendar = Calendar(months, last)
        self.seed = seed
        credit = creditworthiness(customers, seed)
        starts = range(0, customers, BLOCK_CUSTOMERS)
        self.blocks = [settle(at, credit[at : at + BLOCK_CUSTOMERS], self.calendar, seed) for at in starts]
        self._outbox = Outbox(months)
        self._dirt = Dirt(dirty, seed)
        self._feeders = -(-customers // CUSTOMERS_PER_FEEDER)

    @property
    def planted(self) -> dict[tuple[str, str], list[tuple]]:
        """The keys of the faulty rows handed out so far, by table and kind of fault."""
        return self._dirt.planted

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """All rows as (table, batch) in contract types, in the order of the months in which they were recorded."""
        for month in range(self.calendar.months):
            yield from self.live(month)

    def live(self, month: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Live through one month, which must be the next one, and hand out what is recorded in it."""
        if month == 0:  # even a table that stays empty is there
            yield from ((name, pa.RecordBatch.from_pylist([], arrow_schema(name))) for name in contract())
        now = self._now(month, _SERVICE)
        dark = outages(self._feeders, now)
        for block in self.blocks:
            _live(block, dark, self._now(month, block.first))
            yield from self._dirtied(self._outbox.take(month, at_least=BLOCK_CUSTOMERS))
        closed = now.next_first_day * c.DAY + _CLOSES_AFTER
        now.put("billing_closes", c.days(np.array([now.first_day])), c.instants(np.array([closed])))
        yield from self._dirtied(self._outbox.take(month))

    def _now(self, month: int, stream: int) -> Now:
        """The month with a random stream of its own, so that no part depends on how much another draws."""
        rng = np.random.Generator(np.random.SFC64([self.seed, stream, month]))
        return Now(month, self.calendar, rng, self._outbox)

    def _dirtied(self, batches: Iterator[tuple[str, pa.RecordBatch]]) -> Iterator[tuple[str, pa.RecordBatch]]:
        for table, batch in batches:
            yield table, batch
            yield from self._dirt.plant(table, batch)


def _live(block: Block, dark: Outages, now: Now) -> None:
    """A block's month. The order is that of the days: debts of before, bills, payments, collection, the month's end."""
    arrive(block, now)
    block.hardship = behaviour.next_hardship(block.hardship, now.rng.standard_normal(len(block), np.float32))
    change_spells(block, now)
    pay(block, issue(block, now), now)
    pay_open(block, now)
    pay_ahead(block, now)
    give_credit(block, now)
    act_on_debts(block, now)
    move_out(block, now)
    write_register(block, now)
    block.ledger.keep(block.ledger.known > now.month)
    record_conduct(block, now)
    hear(block, dark, now)
