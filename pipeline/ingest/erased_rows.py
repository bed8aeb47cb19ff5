"""Rows of erased customers: left out of a Parquet file, and of what its manifest says.

Customers are given by ``customer_sha256``, as ops.erasures keeps them.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from pipeline.engine.parquet import literal

_READ = "read_parquet($file, hive_partitioning = false, file_row_number = true)"
_IS_ERASED = "sha256(customer_id) in (select unnest($erased))"


@dataclass(frozen=True)
class LeftOut:
    """How many rows were left out, and what they add up to by column of money."""

    rows: int
    sums: Mapping[str, Decimal]

    def less(self, sums: Mapping[str, Any]) -> dict[str, str]:
        """Totals without what was left out."""
        return {name: str(Decimal(total) - self.sums.get(name, 0)) for name, total in sums.items()}


def customer_sha256(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()


def leave_out(
    database: duckdb.DuckDBPyConnection, file: Path, erased: Collection[str], money: Sequence[str] = ()
) -> LeftOut:
    """Write the file anew without these customers, in the order it is in; one that has none of them is not touched."""
    if not erased:
        return LeftOut(0, {})
    bound = {"file": str(file), "erased": list(erased)}
    sums = "".join(f", coalesce(sum({name}), 0)" for name in money)
    [(rows, *totals)] = database.execute(f"select count(*){sums} from {_READ} where {_IS_ERASED}", bound).fetchall()
    if rows:
        kept = file.with_name(f".{file.name}.kept")
        database.execute(
            f"copy (select * exclude (file_row_number) from {_READ} "
            f"where not coalesce({_IS_ERASED}, false) order by file_row_number) "
            f"to {literal(kept)} (format parquet, compression zstd, row_group_size 50000)",
            bound,
        )
        kept.replace(file)
    return LeftOut(rows, dict(zip(money, map(Decimal, totals), strict=True)))
