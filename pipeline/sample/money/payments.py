"""Who pays what when: on time, late, in two parts, unallocated, too much, returned by the bank, or not at all."""

import numpy as np

from pipeline.sample.customers import behaviour
from pipeline.sample.customers.population import ACTIVE, CHANNELS, Block
from pipeline.sample.money.bills import Bills
from pipeline.sample.money.open_bills import NEVER
from pipeline.sample.rows import columns as c
from pipeline.sample.rows.month_state import Now
from pipeline.sample.rows.records import bill_ids, payment_ids, put_events, put_payments

_SPLIT, _RECORDED_LATE, _UNALLOCATED, _OVERPAID, _RETURNED = 0.01, 0.01, 0.02, 0.003, 0.003
_BEHIND = (0.8, 0.17, 0.03)  # of what is recorded late, by 1, 2 and 3 months
_LUMP = 0.2  # of those who clear their debts do it in one sum, unallocated
_RETURNED_AFTER, _PAYS_AGAIN_BEFORE = 4, 25  # days
_FIRST, _SECOND, _AGAIN, _IN_ONE_SUM = 1, 2, 3, 9
_ADVANCE = 8  # in place of the kind of a bill, in the ids of payments that have none


def pay(block: Block, bills: Bills, now: Now) -> None:
    """Decide how each of the month's bills is paid; what is not settled and known at once opens in the ledger."""
    n, who, ledger = len(bills), bills.customer, block.ledger
    pay_on = _day_of_payment(block, bills, now)
    made = pay_on <= now.last_day
    turn = now.rng.random(n, np.float32)
    split, lagged, unallocated, overpaid, returned = _manners(turn)
    is_plain, unnamed = block.accounts.is_plain[who], block.accounts.names_no_bill[who]
    owes = ledger.owers(len(block))[who]
    lagged &= is_plain
    returned &= pay_on <= now.last_day - _RETURNED_AFTER
    settled = made & ~split & ~lagged & ~returned
    unallocated = unnamed | (unallocated & settled & ~owes)
    overpaid &= settled & is_plain & ~owes

    half = bills.amount // 2
    amount = np.select([split, overpaid], [half, (bills.amount // 1000 + 1) * 1000], bills.amount)
    block.accounts.credit[who] += np.where(overpaid, amount - bills.amount, 0)
    ids = bill_ids(now, block, who, kind=bills.kind)
    lag = _months_behind(n, now)
    for rows, behind in ((made & ~lagged, None), (made & lagged, lag)):
        put_payments(
            now,
            block,
            who[rows],
            bills=ids[rows],
            sequence=_FIRST,
            paid_on=pay_on[rows],
            amount=amount[rows],
            allocated=~unallocated[rows],
            lag=None if behind is None else behind[rows],
        )
    back = returned & made
    _take_back(
        block, who[back], now, bills=ids[back], paid_on=pay_on[back], amount=amount[back], allocated=~unallocated[back]
    )

    again_on = pay_on + _RETURNED_AFTER + now.rng.integers(2, _PAYS_AGAIN_BEFORE, n)
    second_on = pay_on + now.rng.integers(5, 21, n)
    half_paid = split & made
    opens = ~settled
    ledger.open(
        customer=who[opens],
        month=now.month,
        kind=bills.kind[opens],
        due=bills.due[opens],
        amount=np.where(half_paid, bills.amount - half, bills.amount)[opens],
        sequence=np.select([back, half_paid], [_AGAIN, _SECOND], _FIRST)[opens],
        pay_on=np.select([back, half_paid], [again_on, second_on], pay_on)[opens],
        known=np.where(lagged & made, now.month + lag, NEVER)[opens],
    )


def pay_open(block: Block, now: Now) -> None:
    """Pay the open bills whose day has come."""
    ledger, accounts = block.ledger, block.accounts
    rows = np.flatnonzero(ledger.is_unpaid() & (ledger.pay_on <= now.last_day))
    lagged = now.happens(_RECORDED_LATE, len(rows)) & accounts.is_plain[ledger.customer[rows]]
    known = now.month + np.where(lagged, _months_behind(len(rows), now), 0)
    ledger.known[rows] = known
    for paid, lag in (
        (rows[known == now.month], None),
        (rows[known > now.month], known[known > now.month] - now.month),
    ):
        who = ledger.customer[paid]
        put_payments(
            now,
            block,
            who,
            bills=bill_ids(now, block, who, kind=ledger.kind[paid], months=ledger.month[paid]),
            sequence=ledger.sequence[paid],
            paid_on=ledger.pay_on[paid].astype(np.int64),
            amount=ledger.amount[paid],
            allocated=~accounts.names_no_bill[who],
            lag=lag,
        )


def pay_ahead(block: Block, now: Now) -> None:
    """Those who pay ahead and owe nothing pay some months at once when the last such sum is used up."""
    accounts = block.accounts
    ready = (block.status == ACTIVE) & (block.unpaid_months == 0) & (block.connected_on < now.first_day)
    ready &= accounts.pays_ahead & (accounts.credit == 0) & ~block.ledger.owers(len(block))
    who = np.flatnonzero(ready)
    amount = (block.median_kwh[who] * now.rng.uniform(60, 250, len(who))).astype(np.int64) // 1000 * 1000 + 10_000
    ids = bill_ids(now, block, who, kind=np.full(len(who), _ADVANCE))
    day = now.some_day(len(who), 20, 28)
    put_payments(
        now, block, who, bills=ids, sequence=_FIRST, paid_on=day, amount=amount, allocated=np.zeros(len(who), bool)
    )
    accounts.credit[who] += amount


def clear(block: Block, cured: np.ndarray, day: np.ndarray, now: Now) -> None:
    """Have customers (bool of the block) pay all they owe on a day of this month, some of them in one sum."""
    ledger = block.ledger
    rows = np.flatnonzero(ledger.is_unpaid() & cured[ledger.customer])
    ledger.pay_on[rows] = day[ledger.customer[rows]]

    # A sum goes to the oldest open bills, so nothing older may be open in the books for another reason.
    in_one_sum = cured & now.happens(_LUMP, len(block))
    in_one_sum[ledger.customer[~ledger.is_unpaid()]] = False
    rows = rows[in_one_sum[ledger.customer[rows]]]
    who, oldest = np.unique(ledger.customer[rows], return_index=True)
    total = np.bincount(ledger.customer[rows], ledger.amount[rows], len(block)).astype(np.int64)
    first = rows[oldest]
    put_payments(
        now,
        block,
        who,
        bills=bill_ids(now, block, who, kind=ledger.kind[first], months=ledger.month[first]),
        sequence=_IN_ONE_SUM,
        paid_on=day[who],
        amount=total[who],
        allocated=np.zeros(len(who), bool),
    )
    ledger.known[rows] = now.month


def _months_behind(rows: int, now: Now) -> np.ndarray:
    return 1 + np.searchsorted(np.cumsum(_BEHIND[:-1]), now.rng.random(rows, np.float32))


def _manners(turn: np.ndarray) -> list[np.ndarray]:
    """Split, lagged, unallocated, overpaid, returned: no two of them for the same draw of [0, 1)."""
    limits = np.cumsum([_SPLIT, _RECORDED_LATE, _UNALLOCATED, _OVERPAID, _RETURNED])
    manner = np.searchsorted(limits, turn, side="right")
    return [manner == which for which in range(len(limits))]


def _day_of_payment(block: Block, bills: Bills, now: Now) -> np.ndarray:
    """NEVER for a customer in a spell of unpaid months."""
    n, who = len(bills), bills.customer
    use = np.clip(block.promptness[who] + 0.1 * now.rng.standard_normal(n, np.float32), 0, 1)
    on_time = bills.issued + np.maximum(1, (use * (bills.due - bills.issued)).astype(np.int64))
    on_time = np.where(block.channel[who] == CHANNELS.index("direct_debit"), bills.due, on_time)
    delay = 1 + np.minimum(now.rng.exponential(10, n), 44).astype(np.int64)
    day = np.where(now.happens(behaviour.chance_late(block.stress)[who]), bills.due + delay, on_time)
    day = np.where(block.unpaid_months[who] > 0, NEVER, day)
    # What names no bill pays the oldest: nothing newer is paid before it.
    latest = np.zeros(len(block), np.int64)
    np.maximum.at(latest, block.ledger.customer, block.ledger.pay_on)
    return np.where(block.accounts.names_no_bill[who], np.maximum(day, latest[who]), day)


def _take_back(
    block: Block,
    who: np.ndarray,
    now: Now,
    *,
    bills: c.Bytes,
    paid_on: np.ndarray,
    amount: np.ndarray,
    allocated: np.ndarray,
) -> None:
    """The bank returns payments: a reversal each, and an event of collection."""
    day = paid_on + _RETURNED_AFTER
    put_payments(
        now,
        block,
        who,
        bills=bills,
        sequence=_SECOND,
        paid_on=day,
        amount=amount,
        allocated=allocated,
        reverses=payment_ids(bills, _FIRST),
    )
    put_events(now, block, "returned_payment", who, day=day, amount=amount)
