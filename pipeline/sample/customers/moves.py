"""Customers who join, move out and come back."""

import numpy as np

from pipeline.sample.customers.population import ACTIVE, Block
from pipeline.sample.money.collections import end_contracts
from pipeline.sample.money.open_bills import NEVER
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now
from pipeline.sample.rows.records import put_balances, put_customers

_MOVES_OUT = 0.003  # a month
_COMES_BACK = 0.3  # of those without debts


def arrive(block: Block, now: Now) -> None:
    """Those who join or return this month; in the first month also all who were there before."""
    if now.month == 0:
        there = np.flatnonzero(block.status == ACTIVE)
        put_customers(now, block, there, now.first_day * c.DAY + now.rng.integers(0, 4 * 3600, len(there)) * c.SECOND)
        put_balances(now, block, there, np.zeros(len(there), np.int64))
    returning = np.flatnonzero(block.returns == now.month)
    block.connected_on[returning] = now.some_day(len(returning))
    block.closed_on[returning] = NEVER
    block.closed_month[returning] = NEVER
    arriving = np.union1d(returning, np.flatnonzero(block.joins == now.month))
    block.status[arriving] = ACTIVE
    put_customers(now, block, arriving, now.daytime(block.connected_on[arriving]))


def move_out(block: Block, now: Now) -> None:
    """Close some contracts after the month's bill; some of these customers will come back within the year."""
    moving = (block.status == ACTIVE) & (block.connected_on < now.first_day)
    moving &= now.happens(_MOVES_OUT, len(block))
    end_contracts(block, moving, now)
    back = moving & (block.unpaid_months == 0) & now.happens(_COMES_BACK, len(block))
    block.returns[back] = now.month + now.rng.integers(3, 13, back.sum())
