"""What has become of each bill by a month's cut-off: worked out once, and kept in the lake for the steps that read it.

``credited`` and ``bill_status`` of sql/lake/facts/ are partitions of a rating month and basis. They only keep what the
queries give: where they are gone, or were made from other records, by other queries or under another policy, they are
made again. So a step that reads them needs no other step to have run.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

from pipeline.customers.parameters import parameters
from pipeline.engine import Engine, Range
from pipeline.engine.queries import Query, compose
from pipeline.lake.known_records import KnownRecords

TABLES = ("credited", "bill_status")
# What both are made from, and each of these from those before it.
_SHARED = ("live_bills", "received", "bill_money", "opening_balances")
FACTS = (*_SHARED, *TABLES, "arrears_register")
"""What most queries of a cut-off read, each of it made from those before it."""


@contextmanager
def facts_kept(engine: Engine, bound: Mapping[str, Any], names: Sequence[str] = FACTS) -> Iterator[None]:
    """The first of FACTS, or all, of the records that are bound: worked out once for all queries of the block that are
    given them."""
    for name, query in _in_turn(names).items():
        engine.keep(name, query, bound)
    yield
    for name in names:
        engine.release(name)


def _in_turn(names: Sequence[str]) -> dict[str, Query]:
    """The query of each of these, given those before it."""
    return {name: compose(f"select * from {name}", names[:at]) for at, name in enumerate(names)}


@dataclass(frozen=True)
class Accounts:
    """Files of what queries gave, by customer_id; of a month, those of TABLES."""

    files: Mapping[str, list[str]]

    @classmethod
    def of(cls, engine: Engine, known: KnownRecords) -> Self:
        """Those of a month, written if the lake does not have them."""
        lake, keys = known.lake, {"rating_month": known.month, "basis": known.basis}
        made_by = _in_turn((*_SHARED, *TABLES))
        bound = parameters(known.policy, known.month)
        made_from = fingerprint(known, made_by.values(), bound)
        if not all(lake.has(name, **keys) and lake.manifest(name, **keys)["made_from"] == made_from for name in TABLES):
            with ExitStack() as stack:
                written = {name: stack.enter_context(lake.writing(name, **keys)) for name in TABLES}
                rows = dict.fromkeys(TABLES, 0)
                for number, within in enumerate(known.ranges(engine)):
                    known.bind(engine, within=within)
                    with facts_kept(engine, bound, _SHARED):
                        for name in TABLES:
                            path = written[name].folder / f"part-{number:04d}.parquet"
                            rows[name] += engine.write(made_by[name], bound, path)
                            engine.bind_files(name, [str(path)])
                for name, partition in written.items():
                    partition.manifest(rows=rows[name], made_from=made_from)
        return cls({name: lake.files(name, **keys) for name in TABLES})

    def bind(self, engine: Engine, within: Range | None = None) -> None:
        """Bind the tables; ``within``: only customers of this range."""
        for name, files in self.files.items():
            engine.bind_files(name, files, within=within)


def fingerprint(known: KnownRecords, made_by: Iterable[Query], bound: Mapping[str, Any]) -> str:
    """A hash of all that the results of queries follow from."""
    parts = [known.inputs.sha256]
    for query in made_by:
        parts += [query.sql(), *(f"{name}={bound[name]}" for name in sorted(query.parameters))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
