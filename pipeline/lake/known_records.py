"""The records that a rating of a month may know: partitions of the lake, bound to an engine as the source's tables."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

import pyarrow as pa

from pipeline.basis import Basis
from pipeline.engine import Engine, Range, queries
from pipeline.errors import LakeError
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.source import SourceTable, contract

ACCOUNTS = ("bills", "payments", "account_balances")
LAKE_BEGINS = pa.schema(
    {
        "records_begin": pa.date32(),
        "register_begins": pa.date32(),
        "register_known_before": pa.timestamp("us", "UTC"),
    }
)
_REGISTER_BEGINS: dict[tuple[str, ...], date | None] = {}  # by what was read of the register


class _Partition(NamedTuple):
    """A partition of facts: its file with that of the rows in quarantine, and a hash of both."""

    files: tuple[str, str | None]
    sha256: str


class Inputs(dict[str, dict[RatingMonth, _Partition]]):
    """By source table and month, the partitions that a rating reads."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.hashes()).encode()).hexdigest()

    def hashes(self) -> dict[str, dict[str, str]]:
        """The same as JSON: of each partition the hashes of its facts and of the rows in quarantine."""
        return {table: {str(month): part.sha256 for month, part in months.items()} for table, months in self.items()}


class KnownRecords:
    """The records of the time before a month's cut-off that a rating of it on this basis may read.

    ``known_in``: the last recorded month it may read; by default that of the basis. ``customers_of``: the month of the
    customers' snapshot, where it is not that one.
    """

    def __init__(
        self,
        lake: Lake,
        policy: Policy,
        month: RatingMonth,
        basis: str = Basis.AS_KNOWN_THEN,
        *,
        known_in: RatingMonth | None = None,
        customers_of: RatingMonth | None = None,
    ):
        self.lake, self.policy, self.month, self.basis = lake, policy, month, Basis.parse(basis)
        self.known_in = known_in or self._last_recorded()
        self.customers_of = customers_of or self.known_in

    def _last_recorded(self) -> RatingMonth:
        if self.basis == Basis.AS_KNOWN_THEN:
            return self.month
        return max([self.month, *self.lake.facts("bills")])

    @property
    def known_before(self) -> datetime | None:
        """The instant before which something must have been known; None: whenever."""
        return self.month.cutoff(self.policy.timezone) if self.basis == Basis.AS_KNOWN_THEN else None

    @cached_property
    def inputs(self) -> Inputs:
        """The partitions. LakeError where the customers' snapshot is not there, or a partition was never validated."""
        return Inputs(
            (table.name, {month: _partition(self.lake, table.name, month) for month in self._months(table)})
            for table in contract().values()
        )

    @property
    def absent(self) -> frozenset[str]:
        """The optional source tables of which nothing is known: the source has no such table, or had none then."""
        optional = (table for table in contract().values() if not table.is_required)
        return frozenset(table.name for table in optional if not self._months(table))

    def bind(self, engine: Engine, *, only: str | None = None, within: Range | None = None) -> str:
        """Bind every source table, ``quarantined``, ``families`` and ``lake_begins`` to views of the engine.

        Returns the sha256 of what is bound. ``quarantined``: of each record that validation left out, table_name and
        customer_id.

        ``only``: the name of a bound view of customer_id, to see the records of just these. ``within``: only customers
        of this range.
        """
        for table in contract().values():
            columns = {column.name: column.sql_type for column in table.lake_columns}
            by_customer = "customer_id" in columns
            engine.bind_facts(
                table.name,
                columns,
                [part.files for part in self.inputs[table.name].values()],
                only=only if by_customer else None,
                within=within if by_customer else None,
            )
        left_out = {
            table.name: [
                file for _, file in (part.files for part in self.inputs[table.name].values()) if file is not None
            ]
            for table in contract().values()
            if "customer_id" in table.column_names
        }
        engine.bind_left_out("quarantined", left_out, only=only, within=within)
        engine.bind_table("families", families(self.policy))
        engine.bind_table("lake_begins", self._lake_begins(engine))
        return self.inputs.sha256

    def ranges(self, engine: Engine, customers: Sequence[str] | None = None) -> list[Range]:
        """The customers of the snapshot in ranges of ``engine.customers_at_once`` or fewer, together all there may be.
        ``customers``: files of customer_id, of those who count in place of the snapshot's.

        No query looks from one customer at another but satisfaction_slope_by_segment, which is asked before, and the
        lake keeps its rows by customer. So a month is computed range after range, each in memory, and reads no more
        than it would at once.
        """
        engine.bind_files("snapshot", customers or self.lake.files("customers", snapshot_month=self.customers_of))
        query = queries.compose("select * from range_starts order by customer_id")
        starts = engine.fetch(query, {"customers": engine.customers_at_once})["customer_id"].to_pylist()
        return list(zip([None, *starts], [*starts, None], strict=True))

    def _months(self, table: SourceTable) -> list[RatingMonth]:
        held = _facts(self.lake, table.name)
        if table.snapshot:
            if self.customers_of not in held:
                month = self.customers_of
                raise LakeError(f"the lake has no {table.name} of {month}: extract {month} first")
            return [self.customers_of]
        first = first_read(table, self.policy, self.month)
        read = [recorded for recorded in held if (first is None or first <= recorded) and recorded <= self.known_in]
        if gaps := sorted(set(RatingMonth.span(read[0], read[-1])) - set(read)) if read else []:
            folder = self.lake.path(table.name, **{fact_key(table.name): gaps[0]})
            raise LakeError(f"the lake has lost {folder}: rate the month from its extraction on, which reads it anew")
        return read

    def _lake_begins(self, engine: Engine) -> pa.Table:
        """``lake_begins`` of all customers, whichever of them are bound."""
        recorded = [*self.inputs["bills"], *self.inputs["payments"]]
        records_begin = min(recorded).first_day if recorded else None
        register = self.inputs["arrears"]
        balances = self.inputs["account_balances"]
        if not register or any(self.lake.manifest("account_balances", recorded_month=m)["rows"] for m in balances):
            return lake_begins(records_begin)
        read = tuple(part.sha256 for part in register.values())
        if read not in _REGISTER_BEGINS:
            engine.bind_facts("register", {"as_of": "DATE"}, [part.files for part in register.values()])
            [first] = engine.fetch(queries.compose("select min(as_of) as as_of from register"))["as_of"].to_pylist()
            _REGISTER_BEGINS[read] = first
        first = _REGISTER_BEGINS[read]
        known_before = RatingMonth.of(first).cutoff(self.policy.timezone) if first else None
        return lake_begins(records_begin, first, known_before)


def lake_begins(
    records_begin: date | None, register_begins: date | None = None, register_known_before: datetime | None = None
) -> pa.Table:
    """What sql/lake/facts/opening_balances.sql reads: the first day of the lake's bills and payments; and, where the
    arrears register has to tell what was owed then, its first month end and the instant up to which that knew."""
    return pa.table([[records_begin], [register_begins], [register_known_before]], schema=LAKE_BEGINS)


def families(policy: Policy) -> pa.Table:
    """One row per segment: segment, family, and the days past due at which that family is in default."""
    rows = [(s, f, policy.label.days_past_due[f]) for f, segments in policy.families.items() for s in segments]
    return pa.table(dict(zip(("segment", "family", "days_past_due"), zip(*rows, strict=True), strict=True)))


def first_read(table: SourceTable, policy: Policy, month: RatingMonth) -> RatingMonth | None:
    """The first recorded month of a table of facts that a rating reads; None: the first there is. A debt stays a debt
    and an advance an advance, however old: of accounts everything counts that the lake holds."""
    return None if table.name in ACCOUNTS else month - policy.extract.history_months + 1


# A step asks for a dozen cohorts, and its Lake may see the facts as they were when first asked.
@lru_cache(maxsize=4096)
def _partition(lake: Lake, table: str, month: RatingMonth) -> _Partition:
    [files] = lake.fact_files(table, [month])
    key = {fact_key(table): month}
    return _Partition(files, " ".join(lake.manifest(part, **key)["sha256"] for part in (table, QUARANTINE + table)))


@lru_cache(maxsize=64)
def _facts(lake: Lake, table: str) -> list[RatingMonth]:
    return lake.facts(table)
