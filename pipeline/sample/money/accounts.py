"""Accounts that are more than a bill a month, paid by its number: billing cycles, solar roofs, advances, credits."""

from dataclasses import dataclass

import numpy as np

from pipeline.sample.money.open_bills import Ledger

CYCLES = (1, 2, 3, 12)  # months that a bill covers
_CYCLE_SHARES = (0.94, 0.03, 0.02, 0.01)  # of residential customers; all others are billed every month
_SOLAR, _NAMES_NO_BILL, _PAYS_AHEAD = 0.015, 0.03, 0.005
_ACCOUNTS = 0x6163_6374  # keeps this stream apart from the others of a seed


@dataclass
class Accounts:
    """The accounts of a block, one array element a customer; money in hundredths, energy in thousandths of a kWh."""

    cycle: np.ndarray  # months that a bill covers
    phase: np.ndarray  # shifts the months in which that customer is billed
    solar: np.ndarray  # mean energy fed in, as a share of what is used; 0 without a roof
    names_no_bill: np.ndarray  # pays the account: the oldest bill first
    pays_ahead: np.ndarray
    credit: np.ndarray  # money, not used up
    kwh: np.ndarray  # used and not billed
    months: np.ndarray  # in which it was used
    since: np.ndarray  # the first of them

    def is_billed(self, month: int) -> np.ndarray:
        """Whose cycle ends with a month, bool."""
        return (month + self.phase) % self.cycle == self.cycle - 1

    @property
    def is_plain(self) -> np.ndarray:
        """Who pays bills by their numbers and has no credit, bool."""
        return (self.solar == 0) & ~self.names_no_bill & ~self.pays_ahead & (self.credit == 0)

    def meter(self, who: np.ndarray, kwh: np.ndarray, month: int) -> None:
        """Add what the customers ``who`` used in a month to what is not billed."""
        self.since[who] = np.where(self.months[who] == 0, month, self.since[who])
        self.kwh[who] += kwh
        self.months[who] += 1

    def read(self, who: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energy, months and first month that the customers ``who`` are to be billed for, which then is done."""
        found = self.kwh[who], self.months[who], self.since[who]
        self.kwh[who] = self.months[who] = 0
        return found

    def settle(self, who: np.ndarray, amount: np.ndarray, ledger: Ledger) -> np.ndarray:
        """What is left to pay of a bill a customer. A negative bill is a credit; credits pay the oldest bills first."""
        self.credit[who] -= np.minimum(amount, 0)
        ledger.use(self.credit)
        used = np.minimum(self.credit[who], np.maximum(amount, 0))
        self.credit[who] -= used
        return np.maximum(amount, 0) - used


def open_accounts(first: int, is_residential: np.ndarray, seed: int) -> Accounts:
    """The accounts of the block that starts at customer ``first``, with nothing used and nothing paid yet."""
    n = len(is_residential)
    rng = np.random.default_rng([_ACCOUNTS, seed, first])
    cycle = np.where(is_residential, rng.choice(CYCLES, n, p=_CYCLE_SHARES), 1)
    has_solar = is_residential & (rng.random(n) < _SOLAR)
    manner = rng.random(n)
    return Accounts(
        cycle=cycle.astype(np.int8),
        phase=rng.integers(0, 12, n).astype(np.int8),
        solar=np.where(has_solar, rng.uniform(0.5, 1.3, n), 0).astype(np.float32),
        names_no_bill=manner < _NAMES_NO_BILL,
        pays_ahead=is_residential & (manner > 1 - _PAYS_AHEAD),
        credit=np.zeros(n, np.int64),
        kwh=np.zeros(n, np.int64),
        months=np.zeros(n, np.int8),
        since=np.zeros(n, np.int16),
    )
