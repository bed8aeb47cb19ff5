"""Rows of the tables that several parts of the sample write."""

import numpy as np
import pyarrow as pa

from pipeline.sample.customers.population import CHANNELS, CLOSED, NEVER, NOTICES, REGIONS, SEGMENTS, Block
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now

DAYS_TO_PAY = 18

_EVENT_CODES = {
    "overdue_notice": b"N",
    "returned_payment": b"R",
    "plan_agreed": b"A",
    "plan_broken": b"B",
    "disconnection": b"D",
    "reconnection": b"C",
    "write_off": b"W",
}


def bill_ids(now: Now, block: Block, who: np.ndarray, *, kind: np.ndarray, months: np.ndarray | None = None) -> c.Bytes:
    """Ids of bills of the customers ``who``, of this month or of ``months``: at most one of a kind each month."""
    n = len(who)
    codes = now.codes(n) if months is None else now.calendar.codes[months]
    return c.joined(n, b"B", block.numbers.take(who, axis=0), b"-", codes, b"-", c.digits(kind, 1))


def payment_ids(bills: c.Bytes, sequence: int | np.ndarray) -> c.Bytes:
    return c.joined(len(bills), b"P", bills[:, 1:], c.digits(np.broadcast_to(sequence, len(bills)), 1))


def put_customers(now: Now, block: Block, who: np.ndarray, recorded: np.ndarray) -> None:
    """The present state of the customers ``who``, known from the instants ``recorded`` on."""
    n, ids, notice = len(who), block.ids.take(who, axis=0), block.notice[who]
    now.put(
        "customers",
        c.text(ids),
        c.choice(SEGMENTS, block.segment[who]),
        c.choice(REGIONS, block.region[who]),
        c.text(c.joined(n, b"F", c.digits(block.feeder[who] + 1, 6))),
        c.days(block.connected_on[who]),
        c.days(block.closed_on[who], block.closed_on[who] != NEVER),
        c.decimal(block.capacity[who], 3),
        c.flags(block.is_compensated[who]),
        c.flags(block.has_backup[who]),
        c.flags(block.is_life_support[who]),
        c.flags(block.is_protected[who]),
        c.choice(NOTICES, notice),
        c.text(c.joined(n, b"c", block.numbers.take(who, axis=0), b"@example.com"), notice == NOTICES.index("email")),
        c.instants(recorded),
    )


def put_balances(now: Now, block: Block, who: np.ndarray, balance: np.ndarray) -> None:
    """What the customers ``who`` owe at the end of the month before, in hundredths."""
    n = len(who)
    recorded = c.instants(np.full(n, now.first_day * c.DAY + 4 * c.HOUR))
    put = (c.text(block.ids.take(who, axis=0)), c.days(np.full(n, now.first_day - 1)), c.decimal(balance, 2), recorded)
    now.put("account_balances", *put)


def put_bills(
    now: Now,
    block: Block,
    who: np.ndarray,
    *,
    ids: c.Bytes,
    issued: np.ndarray,
    amount: np.ndarray,
    kwh: np.ndarray,
    estimated: np.ndarray,
    recorded: np.ndarray,
    since: np.ndarray | None = None,
    is_measured: bool = True,
    cancels: c.Bytes | None = None,
    lag: np.ndarray | None = None,
) -> None:
    """Bills of this month, recorded in it at the given instants, or in the months ``lag`` (> 0) after it.

    They cover the months from ``since`` on, or this one; the final bill of a contract reaches to the month before.
    """
    n = len(who)
    final = block.status[who] == CLOSED
    begins = np.full(n, now.first_day) if since is None else now.calendar.first_days[since]
    rows = (
        c.text(ids),
        c.text(block.ids.take(who, axis=0)),
        c.days(now.calendar.first_days[now.month - final.astype(int)]),
        c.days(begins),
        c.days(np.where(final, now.first_day, now.next_first_day)),
        c.days(issued),
        c.days(issued + DAYS_TO_PAY),
        c.decimal(amount, 2),
        c.decimal(kwh, 3, np.full(n, is_measured)),
        c.decimal((kwh * block.tan_phi[who]).astype(np.int64), 3, (block.segment[who] > 0) & is_measured),
        c.flags(estimated),
        c.nulls(n) if cancels is None else c.text(cancels),
        c.instants(recorded),
    )
    now.put_behind("bills", lag, *rows)


def put_payments(
    now: Now,
    block: Block,
    who: np.ndarray,
    *,
    bills: c.Bytes,
    sequence: int | np.ndarray,
    paid_on: np.ndarray,
    amount: np.ndarray,
    lag: np.ndarray | None = None,
    allocated: np.ndarray | None = None,
    reverses: c.Bytes | None = None,
) -> None:
    """Payments recorded on their day, or ``lag`` (> 0) months later; where not ``allocated`` they name no bill."""
    n = len(who)
    # After the 9th, by which all bills are booked: no payment comes into the books before its bill.
    booked = paid_on if lag is None else now.calendar.first_day(now.month + lag) + 9 + paid_on % 19
    rows = (
        c.text(payment_ids(bills, sequence)),
        c.text(block.ids.take(who, axis=0)),
        c.text(bills, allocated),
        c.days(paid_on),
        c.decimal(amount, 2),
        c.nulls(n) if reverses is None else c.text(reverses),
        c.choice(CHANNELS, block.channel[who]),
        c.instants(now.daytime(booked)),
    )
    now.put_behind("payments", lag, *rows)


def put_events(
    now: Now, block: Block, kind: str, who: np.ndarray, *, day: np.ndarray, amount: np.ndarray | None = None
) -> None:
    """Collection events; at most one of a kind for a customer and day."""
    n = len(who)
    now.put(
        "collection_events",
        c.text(c.joined(n, b"E", block.numbers.take(who, axis=0), b"-", c.digits(day, 5), _EVENT_CODES[kind])),
        c.text(block.ids.take(who, axis=0)),
        c.constant(kind, n),
        c.days(day),
        c.nulls(n, pa.decimal128(18, 2)) if amount is None else c.decimal(amount, 2),
        c.instants(day.astype(np.int64) * c.DAY + 20 * c.HOUR),
    )
