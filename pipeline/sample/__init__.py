"""A synthetic utility, seeded: all tables of the source contract, and the hidden credit that drives them.

utility.py        the months, in order, block after block of customers
customers/        who the customers are, how hidden credit becomes payment behaviour, who joins and moves out
money/            bills, payments, debts, and what is open
conduct.py        statements, ratings, violations ...
service.py        outages, contacts, surveys
faults.py         invalid rows, on request
ground_truth.py   what the source does not show
rows/             months, rows, Arrow columns
"""

from collections.abc import Callable, Iterator

import pyarrow as pa

from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.sample.customers.population import creditworthiness
from pipeline.sample.ground_truth import Hidden, hidden_state
from pipeline.sample.utility import Utility
from pipeline.settings import Settings
from pipeline.source.write import replace_tables

LAST = RatingMonth(2026, 10)
MAX_CUSTOMERS = 10_000_000

__all__ = ["LAST", "Hidden", "Utility", "creditworthiness", "fill_source", "generate", "hidden_state"]


def generate(
    customers: int, months: int, last: RatingMonth = LAST, seed: int = 7, dirty: float = 0.0
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """All rows of the utility as (table, batch) in contract types, in the order of the months of recording."""
    return Utility(customers, months, last, seed, dirty).batches()


def fill_source(
    settings: Settings,
    customers: int,
    months: int,
    *,
    last: RatingMonth = LAST,
    seed: int = 7,
    dirty: float = 0.0,
    progress: Callable[[RatingMonth, int, int], None] = lambda month, done, months: None,
) -> dict[str, int]:
    """Replace what the source database holds by the utility; the rows of each table.

    ``progress`` is called after each month with the month, how many are done, and how many there are.
    """
    if not (1 <= customers <= MAX_CUSTOMERS and 1 <= months <= 1200 and 0 <= dirty <= 0.5):
        raise ConfigError(
            f"a sample of {customers} customers, {months} months and {dirty} dirty rows cannot be made: "
            f"take 1 to {MAX_CUSTOMERS} customers, 1 to 1200 months and a share of dirty rows of at most 0.5"
        )
    utility = Utility(customers, months, last, seed, dirty)

    def lived() -> Iterator[tuple[str, pa.RecordBatch]]:
        for month, name in enumerate(utility.calendar.names):
            yield from utility.live(month)
            progress(name, month + 1, months)

    return replace_tables(settings.source_owner, lived())
