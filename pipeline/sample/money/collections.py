"""Debts: spells of unpaid months, payment plans, disconnections, write-offs, and the arrears register."""

import numpy as np

from pipeline.sample.customers import behaviour
from pipeline.sample.customers.population import ACTIVE, CLOSED, DISCONNECTED, Block
from pipeline.sample.money.open_bills import NEVER
from pipeline.sample.money.payments import clear
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now
from pipeline.sample.rows.records import put_customers, put_events

_PLAN_MONTHS = 4
_NOTICE_AFTER = 12  # days past due
_WRITE_OFF_AFTER = 5  # months after closing
_CLOSED_FOR_DEBT_AFTER = 4  # months of disconnection
_DISPUTED = 0.05
_LATE_FEE_PER_DAY = np.array([0.001, 0.002, 0.002, 0.002, 0.002])


def change_spells(block: Block, now: Now) -> None:
    """Before the month's bills: who pays off, agrees or breaks a plan, stays in debt, falls into it."""
    n, unpaid, stress = len(block), block.unpaid_months, block.stress
    in_spell = unpaid > 0
    chance = np.select(
        [block.status == ACTIVE, block.status == DISCONNECTED],
        [behaviour.chance_cure(stress, unpaid), behaviour.CURE_DISCONNECTED],
        behaviour.CURE_CLOSED,
    )
    cured = in_spell & now.happens(chance)
    day = now.some_day(n)
    clear(block, cured, day, now)
    back = np.flatnonzero(cured & (block.status == DISCONNECTED))
    put_events(now, block, "reconnection", back, day=day[back])
    block.status[back] = ACTIVE
    block.disconnected_months[back] = 0

    agrees = in_spell & ~cured & (block.status == ACTIVE) & now.happens(behaviour.chance_plan(unpaid))
    unpaid[in_spell] += 1
    unpaid[cured | agrees] = 0
    block.is_disputed[unpaid == 0] = False
    _break_plans(block, now)
    _agree_plans(block, agrees, now)

    falls = (unpaid == 0) & (block.plan_months == 0) & (block.status == ACTIVE)
    falls &= block.accounts.is_billed(now.month)
    falls &= now.happens(behaviour.chance_spell(stress))
    unpaid[falls] = 1
    block.is_disputed[falls] = now.happens(_DISPUTED, falls.sum())


def act_on_debts(block: Block, now: Now) -> None:
    """After the month's bills: notices, contracts ended for debt, disconnections, write-offs."""
    _send_notices(block, now)
    off = block.status == DISCONNECTED
    block.disconnected_months[off] += 1
    end_contracts(block, off & (block.disconnected_months > _CLOSED_FOR_DEBT_AFTER), now)

    chance = behaviour.chance_disconnection(block.unpaid_months, block.is_shielded)
    off = np.flatnonzero((block.status == ACTIVE) & now.happens(chance))
    owed = _owed(block)
    put_events(now, block, "disconnection", off, day=now.some_day(len(off), 10, 26), amount=owed[off])
    block.status[off] = DISCONNECTED

    lost = (block.status == CLOSED) & (block.unpaid_months > 0)
    lost &= block.closed_month <= now.month - _WRITE_OFF_AFTER
    who = np.flatnonzero(lost & (owed > 0))
    put_events(now, block, "write_off", who, day=np.full(len(who), now.last_day - 5), amount=owed[who])
    block.unpaid_months[lost] = 0
    block.ledger.keep(~lost[block.ledger.customer])


def end_contracts(block: Block, ending: np.ndarray, now: Now) -> None:
    """Close some customers (bool of the block) in the last third of the month."""
    who = np.flatnonzero(ending)
    block.closed_on[who] = now.some_day(len(who), 20, 28)
    block.closed_month[who] = now.month
    block.status[who] = CLOSED
    block.plan_months[who] = 0
    block.disconnected_months[who] = 0
    put_customers(now, block, who, now.daytime(block.closed_on[who]))


def write_register(block: Block, now: Now) -> None:
    """The arrears register of the month's end, as known then: customers with something overdue and no others.

    Debts that were written off have left it.
    """
    who, amount, oldest = block.ledger.overdue(now.last_day, now.month)
    n, past_due = len(who), now.last_day - oldest
    now.put(
        "arrears",
        c.text(block.ids[who]),
        c.days(np.full(n, now.last_day)),
        c.decimal(amount, 2),
        c.whole(past_due),
        c.decimal((amount * past_due * _LATE_FEE_PER_DAY[block.segment[who]]).astype(np.int64), 2),
        c.flags(block.is_disputed[who]),
        c.flags(block.plan_months[who] > 0),
        c.instants(np.full(n, now.last_day * c.DAY + 23 * c.HOUR)),
    )


def _break_plans(block: Block, now: Now) -> None:
    """A broken plan leaves the rest of its bills unpaid; every plan is a month nearer to its end."""
    ledger, owed = block.ledger, _owed(block)
    running = block.plan_months > 0
    breaks = running & (owed > 0) & now.happens(behaviour.chance_plan_broken(block.stress))
    block.plan_months[running] -= 1
    who = np.flatnonzero(breaks)
    put_events(now, block, "plan_broken", who, day=now.some_day(len(who), 5, 20), amount=owed[who])
    block.plan_months[who] = 0
    block.unpaid_months[who] = behaviour.DISCONNECTION_AFTER
    ledger.pay_on[ledger.is_unpaid() & breaks[ledger.customer]] = NEVER


def _agree_plans(block: Block, agrees: np.ndarray, now: Now) -> None:
    """A plan pays one old bill a month, in chronological order, while new bills are paid as they come."""
    ledger, owed, who = block.ledger, _owed(block), np.flatnonzero(agrees)
    put_events(now, block, "plan_agreed", who, day=now.some_day(len(who), 0, 20), amount=owed[who])
    block.plan_months[who] = _PLAN_MONTHS
    rows = np.flatnonzero(ledger.is_unpaid() & agrees[ledger.customer])
    months = now.month + 1 + np.minimum(ledger.rank()[rows], _PLAN_MONTHS - 2)
    ledger.pay_on[rows] = now.calendar.first_day(months) + 14


def _send_notices(block: Block, now: Now) -> None:
    ledger = block.ledger
    day = ledger.due + _NOTICE_AFTER
    rows = np.flatnonzero((day >= now.first_day) & (day <= now.last_day) & (ledger.pay_on > day))
    who, one_each = np.unique(ledger.customer[rows], return_index=True)
    rows = rows[one_each]
    put_events(now, block, "overdue_notice", who, day=day[rows], amount=ledger.amount[rows])


def _owed(block: Block) -> np.ndarray:
    """What each customer of the block has not paid, hundredths."""
    ledger, unpaid = block.ledger, block.ledger.is_unpaid()
    return np.bincount(ledger.customer[unpaid], ledger.amount[unpaid], len(block)).astype(np.int64)
