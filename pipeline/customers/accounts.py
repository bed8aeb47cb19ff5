"""What has become of each bill by a month's cut-off: worked out once, and kept in the lake for the steps that read it.

``credited`` and ``bill_status`` of sql/lake/facts/ are partitions of a rating month and basis. They only keep what the
queries give: where they are gone, or were made from other records, by other queries or under another policy, they are
made again. So a step that reads them needs no other step to have run.
"""

import hashlib
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

from pipeline.customers.parameters import parameters
from pipeline.engine import Engine, Range
from pipeline.engine.queries import Query, compose
from pipeline.lake.known_records import KnownRecords

TABLES = ("credited", "bill_status")
_READ_OFTEN = ("live_bills", "arrears_register")
_READ_FOR_TABLES = ("received", "bill_money", "opening_balances")
FACTS = (*_READ_OFTEN, *_READ_FOR_TABLES, *TABLES)
"""What most queries of a cut-off read, each of it made from those before it."""
GIVEN = (*_READ_OFTEN, *TABLES)
"""Those of which a month's indices are computed."""


@contextmanager
def facts_kept(
    engine: Engine, bound: Mapping[str, Any], names: Sequence[str] = FACTS, given: Sequence[str] = ()
) -> Iterator[None]:
    """These of FACTS, which follow those ``given``, of the records that are bound: worked out once for all queries of
    the block that are given them."""
    for name, query in _in_turn(names, given).items():
        engine.keep(name, query, bound)
    yield
    for name in names:
        engine.release(name)


def _in_turn(names: Sequence[str], given: Sequence[str] = ()) -> dict[str, Query]:
    """The query of each of these, given those before it."""
    return {name: compose(f"select * from {name}", (*given, *names[:at])) for at, name in enumerate(names)}


@dataclass(frozen=True)
class Accounts:
    """Files of what queries gave, by customer_id; of a month, those of TABLES."""

    files: Mapping[str, list[str]]

    @classmethod
    def of(cls, engine: Engine, known: KnownRecords) -> Self:
        """Those of a month, written if the lake does not have them."""
        if not _are_there(known):
            for _ in _computed_by_range(engine, known):
                pass
        return cls({name: known.lake.files(name, **_keys(known)) for name in TABLES})

    def bind(self, engine: Engine, within: Range | None = None) -> None:
        """Bind the tables; ``within``: only customers of this range."""
        for name, files in self.files.items():
            engine.bind_files(name, files, within=within)

    def bound_by_range(
        self, engine: Engine, known: KnownRecords, only: str | None = None
    ) -> Generator[Collection[str]]:
        """Bind the records with these, range after range; yields what is bound of FACTS. ``only``: the name of a bound
        view of customer_id, to see just these, and at once."""
        for within in known.ranges(engine) if only is None else [(None, None)]:
            known.bind(engine, only=only, within=within)
            self.bind(engine, within)
            yield self.files


def bound_by_range(engine: Engine, known: KnownRecords) -> Generator[Collection[str]]:
    """``Accounts.bound_by_range`` of a month's accounts.

    Where the lake lacks them they are computed on the way, and are there when the last range is done with. Close it, so
    that a month that breaks off leaves none.
    """
    if not _are_there(known):
        return _computed_by_range(engine, known)
    return Accounts.of(engine, known).bound_by_range(engine, known)


def _computed_by_range(engine: Engine, known: KnownRecords) -> Generator[Collection[str]]:
    made_by, bound = _made_by(), parameters(known.policy, known.month)
    with ExitStack() as stack:
        written = {name: stack.enter_context(known.lake.writing(name, **_keys(known))) for name in TABLES}
        rows = dict.fromkeys(TABLES, 0)
        for number, within in enumerate(known.ranges(engine)):
            known.bind(engine, within=within)
            with facts_kept(engine, bound, _READ_OFTEN):
                with facts_kept(engine, bound, _READ_FOR_TABLES, _READ_OFTEN):
                    for name in TABLES:
                        path = written[name].folder / f"part-{number:04d}.parquet"
                        rows[name] += engine.write(made_by[name], bound, path)
                        engine.bind_files(name, [str(path)])
                yield GIVEN
        for name, partition in written.items():
            partition.manifest(rows=rows[name], made_from=_made_from(known))


def _are_there(known: KnownRecords) -> bool:
    lake, keys, made_from = known.lake, _keys(known), _made_from(known)
    return all(lake.has(name, **keys) and lake.manifest(name, **keys)["made_from"] == made_from for name in TABLES)


def _keys(known: KnownRecords) -> dict[str, Any]:
    return {"rating_month": known.month, "basis": known.basis}


def _made_by() -> dict[str, Query]:
    return _in_turn(FACTS)


def _made_from(known: KnownRecords) -> str:
    return fingerprint(known, _made_by().values(), parameters(known.policy, known.month))


def fingerprint(known: KnownRecords, made_by: Iterable[Query], bound: Mapping[str, Any]) -> str:
    """A hash of all that the results of queries follow from."""
    parts = [known.inputs.sha256]
    for query in made_by:
        parts += [query.sql(), *(f"{name}={bound[name]}" for name in sorted(query.parameters))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
