"""The inputs of a month's service measures, as views of an engine: published rows, debts, managers, protections.

The queries of sql/lake/measures/ read these views and the source tables as the month's publication knew them. What
needs the bills of all customers is computed in ranges of customers and kept in a scratch folder.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.actions.measures import measure_queries
from pipeline.actions.outbox.propose import NAMESPACE, identified
from pipeline.basis import Basis
from pipeline.customers import parameters as rating_parameters
from pipeline.customers.accounts import Accounts
from pipeline.engine import Engine, queries
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

# Views computed in ranges of customers, with the query of each.
_OF_BILLS = {
    "in_arrears": "select * from debts order by customer_id",
    "money": "select * from month_receivables",
}
# The view of a measure that is computed so too, by the measure's name.
_COMPUTED = "computed_{}"

_NOBODY = "select '' as action_type, '' as customer_id, '' as subject, '' as reason, '' as payload where false"

_HAS_TREND = """
select count(*) from information_schema.columns
where table_schema = 'rating' and table_name = 'credit_indices' and column_name = 'consumption_trend'
"""


class DecisionInputs:
    """Views of a published month. Call ``bind_published`` (reads the warehouse), then ``bind_computed`` (the lake)."""

    def __init__(self, engine: Engine, lake: Lake, policy: Policy, publication: Publication, scratch: Path):
        self._engine, self._policy, self._scratch = engine, policy, scratch
        month = publication.rating_month
        self._known = KnownRecords(lake, policy, month, publication.basis)
        self._month = month
        self.parameters = rating_parameters.parameters(policy, month) | parameters(policy, month, publication.basis)

    def bind_published(self, cursor: "Cursor") -> None:
        """Bind ``rated``, one row per rated customer, and ``managed_before``, who had which manager a month before."""
        first_day = self._month.first_day
        cursor.execute(_HAS_TREND)
        trend = "i.consumption_trend" if cursor.fetchone()[0] else "cast(null as float8)"
        cursor.execute(statement("measures/rated", consumption_trend=trend), [first_day])
        path = self._scratch / "rated.parquet"
        with cursor.fetch_record_batch() as batches, pq.ParquetWriter(path, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        self._engine.bind_files("rated", [str(path)])
        cursor.execute(statement("measures/managed_before"), [first_day])
        self._engine.bind_table("managed_before", cursor.fetch_arrow_table())

    def bind_computed(self) -> None:
        """Bind the policy's tables, debts, managers and protections, and the source tables."""
        for name, table in policy_tables(self._policy, self._month).items():
            self._engine.bind_table(name, table)
        computed = _OF_BILLS | {
            _COMPUTED.format(name): f"select * from {name} order by customer_id"
            for name in measure_queries.decided(self._policy)
            if _is_in_ranges(name)
        }
        parts: dict[str, list[str]] = {name: [] for name in computed}
        accounts = Accounts.of(self._engine, self._known)
        for number, given in enumerate(accounts.bound_by_range(self._engine, self._known)):
            for name, text in computed.items():
                parts[name].append(self._written(f"{name}-{number:04d}", text, given))
        for name, files in parts.items():
            self._engine.bind_files(name, files)
        self._known.bind(self._engine)
        of_all = {"managers": "manager_assignments", "protected": "protections", "compared": "arrears_compared"}
        for name, query in of_all.items():
            path = self._written(name, f"select * from {query} order by customer_id")
            self._engine.bind_files(name, [path])

    def due(self) -> pa.RecordBatchReader:
        """The actions of all measures that are due: action_id (16 bytes), action_type, customer_id, reason, payload
        (JSON) and blocked_by."""
        measures = " union all ".join([_NOBODY, *map(self._due, measure_queries.decided(self._policy))])
        names = queries.filled("due_actions", measures=measures)
        return self._engine.batches(identified(f"({names})"), self.parameters | NAMESPACE)

    def _due(self, name: str) -> str:
        """The query of the actions of one measure that are due."""
        measure = _COMPUTED.format(name) if _is_in_ranges(name) else name
        fields = ", ".join(f"'{field}': \"{field}\"" for field in self._fields(name, measure))
        payload = f"to_json({{{fields}}})" if fields else "'{}'"
        return (
            f"select '{name}' as action_type, customer_id, cast(subject as varchar) as subject, reason, "
            f"cast({payload} as varchar) as payload from {measure}"
        )

    def _fields(self, name: str, measure: str) -> list[str]:
        """The fields of a measure's payload: all columns that it has beside those of every measure."""
        returned = queries.columns(name)
        if "*" in returned:
            returned = self.batches(f"select * from {measure} limit 0").schema.names
        return [column for column in returned if column not in measure_queries.COLUMNS]

    def batches(self, text: str) -> pa.RecordBatchReader:
        return self._engine.batches(queries.compose(text), self.parameters)

    def _written(self, name: str, text: str, given: Collection[str] = ()) -> str:
        path = self._scratch / f"{name}.parquet"
        self._engine.write(queries.compose(text, given), self.parameters, path)
        return str(path)


def _is_in_ranges(name: str) -> bool:
    return measure_queries.IN_RANGES in measure_queries.properties(name)


def period(month: RatingMonth, months: int) -> RatingMonth:
    """The first month of the period of ``months`` calendar months that holds ``month``; for 12, January."""
    return month - (month - RatingMonth(1900, 1)) % months


def parameters(policy: Policy, month: RatingMonth, basis: str = Basis.AS_KNOWN_THEN) -> dict[str, Any]:
    """What the queries of measures bind beside the parameters of a rating.

    <measure>_<key of the policy> for numbers and texts; <measure>_period, the first month of the current period of a
    measure that is due every so many months; and booked_from, from when on the month came to know what it knows (None:
    as known now).
    """
    measures = policy.measures
    bound: dict[str, Any] = {
        "month": str(month),
        "booked_from": (month - 1).cutoff(policy.timezone) if basis == Basis.AS_KNOWN_THEN else None,
        "decline": policy.life_cycle.decline,
        "min_debt": measures.min_debt,
        "plans_since": (month + 1 - measures.protection.plan_months).first_day,
        "large_from_kva": measures.service_levels.large_from_kva,
        "managed_level": measures.service_levels.levels.index(measures.service_levels.managed),
    }
    for name, section in measures.sections().items():
        for key, value in section:
            if key == "every_months" and value is not None:
                bound[f"{name}_period"] = str(period(month, value))
            elif isinstance(value, int | float | str):
                bound[f"{name}_{key}"] = value
    return bound


def policy_tables(policy: Policy, month: RatingMonth) -> dict[str, pa.Table]:
    """The policy as small tables."""
    measures = policy.measures
    segments = [segment for family in policy.families.values() for segment in family]
    managers = measures.account_manager.managers if measures.account_manager else {}
    next_month, following = (month + 1).first_day, (month + 2).first_day
    moratoria = {
        segment
        for each in measures.protection.moratoria
        if each.first_day < following and each.last_day >= next_month
        for segment in each.segments
    }
    levels = measures.service_levels
    return {
        "measure_grades": _table(measures.graded(), action_type=pa.string(), grade=pa.string()),
        "measure_value_groups": _table(measures.value_groups(), action_type=pa.string(), value_group=pa.string()),
        "manager_slots": _table(
            [(name, slot + 1) for name, size in managers.items() for slot in range(size)],
            manager=pa.string(),
            slot=pa.int64(),
        ),
        "tariffs": _table(
            [_tariff(policy, segment) for segment in segments],
            segment=pa.string(),
            daily_rate=pa.decimal128(9, 6),
            carried_over_rate=pa.decimal128(9, 6),
            notice_days=pa.float64(),
        ),
        "guarded": _table([(name,) for name in measures.protection.blocks], action_type=pa.string()),
        "moratoria": _table([(segment,) for segment in sorted(moratoria)], segment=pa.string()),
        "size_levels": _levels(levels.levels, levels.required, "customer_size"),
        "grade_levels": _levels(levels.levels, levels.by_grade, "grade"),
    }


def _tariff(policy: Policy, segment: str) -> tuple:
    fee, disconnection = policy.measures.late_fee, policy.measures.disconnection_proposal
    rates = [fee.daily_rate, fee.carried_over] if fee else []
    exact = [Decimal(str(rate.of(segment))).quantize(Decimal("0.000001")) for rate in rates]
    return (segment, *(exact or (None, None)), disconnection.notice_days.of(segment) if disconnection else None)


def _levels(levels: tuple[str, ...], chosen: Mapping[Any, str], key: str) -> pa.Table:
    rows = [(name, levels.index(level)) for name, level in chosen.items()]
    return _table(rows, **{key: pa.string(), "level": pa.int64()})


def _table(rows: list[tuple], **columns: pa.DataType) -> pa.Table:
    schema = pa.schema(list(columns.items()))
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
