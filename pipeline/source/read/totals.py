"""The count and the sums of money of an extract query, as the billing system computes them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pipeline.errors import SourceContractError
from pipeline.source.read.query_text import ExtractQuery, location

_CENT = Decimal("0.01")


def totals(names: tuple[str, ...]) -> str:
    """What to select: the count; by name the sum to the cent; by name how many values have more than cents.

    NaN, infinity and what is absurd are left out of both: they would swallow the rest.
    """
    sums = (f"sum(case when abs({name}) < 1e15 then round(cast({name} as decimal(18, 2)), 2) end)" for name in names)
    finer = (
        f"sum(case when abs({name}) < 1e15 and round({name} + 0, 2) <> {name} + 0 then 1 else 0 end)" for name in names
    )
    return ", ".join(("count(*)", *sums, *finer))


def read_totals(query: ExtractQuery, found: Sequence[Any]) -> tuple[int, dict[str, Decimal]]:
    """Rows and sums by money column, of what ``totals`` gave. SourceContractError where money has more than cents."""
    rows, *values = found
    many = len(query.summable)
    for name, finer in zip(query.summable, values[many:], strict=True):
        if finer:
            raise SourceContractError(
                f"{query.table.name}.{name}: {int(finer):,} of {rows:,} rows have more than two decimals, and nothing "
                f"is rounded without being asked: round it in {location(query.table)}, or have it corrected"
            )
    sums = (Decimal(str(value or 0)).quantize(_CENT) for value in values[:many])
    return int(rows), dict(zip(query.summable, sums, strict=True))
