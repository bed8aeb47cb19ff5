"""The bills of a block that are not settled, as far as the utility knows: some one in twenty, so it stays small."""

import numpy as np

NEVER = 2**30  # a day or a month that does not come

FIELDS = {
    "customer": np.int32,  # position in the block
    "month": np.int16,  # of the bill
    "kind": np.int8,  # of the bill: 0 the original, 1 its replacement
    "due": np.int32,
    "amount": np.int64,  # still to be paid, hundredths
    "sequence": np.int8,  # of the next payment of the bill
    "pay_on": np.int32,  # day on which the rest is paid, NEVER: not decided
    "known": np.int32,  # month in which that payment is recorded, NEVER: not paid yet
}


class Ledger:
    """Open bills as arrays side by side, in chronological order; ``ledger.due`` is the array of due days, and so on."""

    customer: np.ndarray
    month: np.ndarray
    kind: np.ndarray
    due: np.ndarray
    amount: np.ndarray
    sequence: np.ndarray
    pay_on: np.ndarray
    known: np.ndarray

    def __init__(self) -> None:
        for name, kind in FIELDS.items():
            setattr(self, name, np.empty(0, kind))

    def __len__(self) -> int:
        return len(self.customer)

    def open(self, **values: np.ndarray | int) -> None:
        """Append bills; a value may be one number for all of them."""
        rows = len(np.asarray(values["customer"]))
        for name, kind in FIELDS.items():
            added = np.broadcast_to(np.asarray(values[name], kind), rows)
            setattr(self, name, np.concatenate([getattr(self, name), added]))

    def keep(self, rows: np.ndarray) -> None:
        for name in FIELDS:
            setattr(self, name, getattr(self, name)[rows])

    def is_unpaid(self) -> np.ndarray:
        """Bills whose payment has not been made, recorded or not."""
        return self.known == NEVER

    def owers(self, customers: int) -> np.ndarray:
        """Whether each customer of the block has an unsettled bill, bool of shape (customers,)."""
        owes = np.zeros(customers, bool)
        owes[self.customer] = True
        return owes

    def rank(self) -> np.ndarray:
        """0 for the oldest bill of each customer, 1 for the next, and so on."""
        order = np.argsort(self.customer, kind="stable")
        sorted_customers = self.customer[order]
        starts = np.flatnonzero(np.r_[len(self) > 0, sorted_customers[1:] != sorted_customers[:-1]])
        sizes = np.diff(np.r_[starts, len(self)]).astype(int)
        rank = np.empty(len(self), np.int64)
        rank[order] = np.arange(len(self)) - np.repeat(starts, sizes)
        return rank

    def use(self, credit: np.ndarray) -> None:
        """Pay unpaid bills with the customers' credit (hundredths, changed in place), the oldest first."""
        rows = np.flatnonzero(self.is_unpaid() & (credit[self.customer] > 0))
        rows = rows[np.argsort(self.customer[rows], kind="stable")]
        who, starts = np.unique(self.customer[rows], return_index=True)
        owed = np.cumsum(self.amount[rows]) - self.amount[rows]
        before = owed - np.repeat(owed[starts], np.diff(np.r_[starts, len(rows)]))
        paid = np.clip(credit[self.customer[rows]] - before, 0, self.amount[rows])
        self.amount[rows] -= paid
        credit[who] -= np.add.reduceat(paid, starts) if len(rows) else paid
        self.keep(self.amount > 0)

    def overdue(self, as_of: int, month: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Customers with something overdue at a month's end as then known: positions, amounts, oldest due days."""
        late = np.flatnonzero((self.due < as_of) & (self.known > month))
        customers, where = np.unique(self.customer[late], return_inverse=True)
        amounts = np.zeros(len(customers), np.int64)
        np.add.at(amounts, where, self.amount[late])
        oldest = np.full(len(customers), NEVER, np.int32)
        np.minimum.at(oldest, where, self.due[late])
        return customers, amounts, oldest
