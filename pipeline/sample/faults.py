"""Faulty rows, planted on purpose: copies of good rows with one thing wrong, drawn from what the contract forbids."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from pipeline.source import Between, InSet, NotBefore, SourceTable
from pipeline.source import table as source_table
from pipeline.source.contract import COUNTED_ONLY

CLEAN = ("customers", "billing_closes")  # tables nothing is planted into
_NOBODY = "nobody"
_ABSURD = Decimal("999999999999.99")
_FAR = timedelta(days=400)


class Dirt:
    """Plants ``share`` of faulty rows into each fact table, the kinds in turn; ``planted[table, kind]``: their keys."""

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._rng = np.random.default_rng([seed, 0x6469_7274])
        self._seen: dict[str, int] = defaultdict(int)
        self._made: dict[str, int] = defaultdict(int)
        self.planted: dict[tuple[str, str], list[tuple]] = defaultdict(list)

    def plant(self, name: str, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The faulty rows that go with a batch of good ones, as a batch of their own."""
        if not self._share or name in CLEAN:
            return
        table = source_table(name)
        self._seen[name] += batch.num_rows
        wanted = round(self._share * self._seen[name]) - self._made[name]
        if not wanted:
            return
        kinds = faults(table)
        rows = []
        chosen = self._rng.choice(batch.num_rows, min(wanted, batch.num_rows), replace=False)
        for row in batch.take(pa.array(chosen)).to_pylist():
            kind = list(kinds)[self._made[name] % len(kinds)]
            self._make_new(table, row, kind)
            kinds[kind](row)
            self.planted[name, kind].append(tuple(row[column] for column in table.key))
            self._made[name] += 1
            rows.append(row)
        if rows:
            yield name, pa.RecordBatch.from_pylist(rows, schema=batch.schema)

    def _make_new(self, table: SourceTable, row: dict, kind: str) -> None:
        """Give the copy a key of its own, unless its fault is to have none."""
        if kind == "duplicate_key":
            return
        if len(table.key) == 1:
            row[table.key[0]] += f"-{kind}"
        else:
            row["recorded_at"] += timedelta(microseconds=1 + self._made[table.name])


def faults(table: SourceTable) -> dict[str, Callable[[dict], None]]:
    """What can be made wrong with a row of the table: kind -> a function that does it."""
    free = [name for name in table.required_columns if name not in (*table.key, table.recorded_column)]
    made: dict[str, Callable[[dict], None]] = {"duplicate_key": lambda row: None}
    if free:
        made["null_in_required"] = _setting(free[-1], None)
    if table.money_columns:
        made["absurd_amount"] = _setting(table.money_columns[0], _ABSURD)
    if table.name == "payments":
        made["negative_amount"] = _setting("amount", Decimal("-13.37"))
    for reference in table.references:
        if reference.name in COUNTED_ONLY:
            continue
        made[f"unknown_{reference.column}"] = _setting(reference.column, _NOBODY)
    for check in table.checks:
        if isinstance(check, InSet):
            made[f"unknown_{check.column}_value"] = _setting(check.column, "unheard_of")
        elif isinstance(check, Between) and check.column not in table.money_columns:
            made[f"{check.column}_out_of_range"] = _setting(check.column, -1)
        elif isinstance(check, NotBefore):
            later = check.later == table.recorded_column
            made[f"future_{check.earlier}" if later else f"{check.later}_before_{check.earlier}"] = _reversing(
                table, check
            )
    return made


def _setting(column: str, value: object, **others: object) -> Callable[[dict], None]:
    def fault(row: dict) -> None:
        row[column] = value
        row.update({name: other for name, other in others.items() if name in row})

    return fault


def _reversing(table: SourceTable, check: NotBefore) -> Callable[[dict], None]:
    is_instant = {column.name: column.sql_type == "TIMESTAMPTZ" for column in table.columns}

    def fault(row: dict) -> None:
        if check.later == table.recorded_column:
            future = row[check.later] + _FAR
            row[check.earlier] = future if is_instant[check.earlier] else future.date()
        else:
            row[check.later] = row[check.earlier] - _FAR

    return fault
