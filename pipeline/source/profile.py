"""What the billing system holds, summed up in it: rows by month, nulls, codes, dates, money, orphans of each table.

Every figure is an aggregate over an extract query, which stands in it as a subquery: what is looked at is what a rating
would read, in any SQL database, and what arrives here is a few hundred small rows a table.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from pipeline.errors import SourceContractError
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.source.contract import InSet, Reference, SourceTable, contract
from pipeline.source.read import BEGINNING, END, BillingSystem, ExtractQuery

_ALL: dict[str, Any] = {"recorded_from": BEGINNING, "recorded_before": END}
_YEARS = 10
"""Rows are counted by month in so many years, those with the most rows; in others by year."""
_MONTHS = 20 * 12
_VALUES = 20
_REPEATED = 10
"""A text is a code where each of its values stands in at least so many rows, on average."""
_EXAMPLES = 5

Progress = Callable[[int, int, str], None]


def profile(settings: Settings, timezone: str, progress: Progress | None = None) -> list[dict[str, Any]]:
    """A dict a table of the contract: ``table``, ``meaning``, ``state`` (read, absent or refused) and ``detail``; of
    those read also ``rows``, ``months``, ``other_years``, ``columns``, ``codes``, ``money`` and ``orphans``.

    Months are those of ``timezone``, as the lake cuts them. SourceUnavailableError where the source is away.
    """
    found = []
    with BillingSystem(settings.source, timezone) as source:
        queries: dict[str, ExtractQuery | None] = {}
        refusals: dict[str, str] = {}
        for table in contract().values():
            try:
                queries[table.name] = source.query(table)
            except SourceContractError as error:
                refusals[table.name] = str(error)
        for done, table in enumerate(contract().values()):
            if progress:
                progress(done, len(contract()), table.name)
            about = {"table": table.name, "meaning": table.meaning, "is_required": table.is_required}
            query = queries.get(table.name)
            if query is None:
                refusal = refusals.get(table.name)
                detail = refusal or "absent, optional: its indices will be missing"
                found.append(about | {"state": "refused" if refusal else "absent", "detail": detail})
                continue
            try:
                facts = _Profile(source, query, queries, timezone, settings.source.get_dialect()()).facts()
                found.append(about | {"state": "read", "detail": ""} | facts)
            except SourceContractError as error:
                found.append(about | {"state": "refused", "detail": str(error)})
    return found


class _Profile:
    """The figures of one table."""

    def __init__(
        self,
        source: BillingSystem,
        query: ExtractQuery,
        queries: dict[str, ExtractQuery | None],
        timezone: str,
        dialect: sa.Dialect,
    ):
        self._source, self._query, self._queries = source, query, queries
        self._timezone, self._dialect = timezone, dialect
        self._table: SourceTable = query.table

    def facts(self) -> dict[str, Any]:
        rows, columns = self._columns()
        months, years = self._months()
        return {
            "rows": rows,
            "months": months,
            "other_years": years,
            "columns": columns,
            "codes": self._codes(rows, columns),
            "money": self._money(),
            "orphans": [self._orphans(reference) for reference in self._table.references],
        }

    def _one(self, selected: list[str], **parameters: Any) -> tuple:
        [row] = self._source.values(self._query, ", ".join(selected), **_ALL, **parameters)
        return row

    def _columns(self) -> tuple[int, list[dict[str, Any]]]:
        """The number of rows, and of each column its nulls; first and last of dates; distinct values of texts."""
        names = self._query.columns
        kinds = {column.name: column.sql_type for column in self._table.columns}
        dates = [name for name in names if kinds[name] in ("DATE", "TIMESTAMPTZ")]
        coded = [name for name in names if kinds[name] in ("VARCHAR", "BOOLEAN")]
        selected = ["count(*)", *(f"count({name})" for name in names)]
        selected += [f"{bound}({name})" for name in dates for bound in ("min", "max")]
        selected += [f"count(distinct {name})" for name in coded]
        values = iter(self._one(selected))
        rows = next(values)
        given = {name: next(values) for name in names}
        bounds = {name: (_text(next(values)), _text(next(values))) for name in dates}
        distinct = {name: next(values) for name in coded}
        found = []
        for column in self._table.columns:
            if column.name not in names:
                found.append({"column": column.name, "is_absent": True, "is_required": column.is_required})
                continue
            nulls = rows - given[column.name]
            first, last = bounds.get(column.name, (None, None))
            found.append(
                {
                    "column": column.name,
                    "is_absent": False,
                    "is_required": column.is_required,
                    "nulls": nulls,
                    "null_share": nulls / rows if rows else 0.0,
                    "first": first,
                    "last": last,
                    "distinct": distinct.get(column.name),
                }
            )
        return rows, found

    def _months(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows by month of recording, with the empty months between the first and the last; other years by year."""
        instant = self._table.recorded_column
        if instant not in self._query.columns:
            return [], []
        year = str(sa.extract("year", sa.literal_column(instant)).compile(dialect=self._dialect))
        by_year = self._source.values(self._query, f"{year}, count(*)", f"group by {year}", 10_000, **_ALL)
        counts = Counter({None if key is None else int(key): rows for key, rows in by_year})
        usual = [key for key in counts if key is not None and 1900 < key < 9999]
        usual = sorted(sorted(usual, key=lambda key: -counts[key])[:_YEARS])
        rows: dict[RatingMonth, int] = {}
        for each in usual:
            months = list(RatingMonth.span(RatingMonth(each, 1), RatingMonth(each, 12)))
            # A year ends at another instant in the utility's time zone than in the database's: months are cut by it.
            rows |= zip(months, self._count_by_month(instant, months), strict=True)
        held = [month for month in sorted(rows) if rows[month]]
        shown = list(RatingMonth.span(held[0], held[-1])) if held else []
        if len(shown) > _MONTHS:  # a date far from all others: months without rows are left out
            shown = held
        others = sorted((key for key in counts if key not in usual), key=lambda key: -counts[key])[:_VALUES]
        return (
            [{"month": str(month), "rows": rows.get(month, 0)} for month in shown],
            [{"year": key, "rows": counts[key]} for key in others],
        )

    def _count_by_month(self, instant: str, months: list[RatingMonth]) -> list[int]:
        bounds = [(months[0] - 1).cutoff(self._timezone), *(month.cutoff(self._timezone) for month in months)]
        parameters = {f"bound_{number}": bound for number, bound in enumerate(bounds)}
        counted = [
            f"sum(case when {instant} >= :bound_{number} and {instant} < :bound_{number + 1} then 1 else 0 end)"
            for number in range(len(months))
        ]
        return [int(rows or 0) for rows in self._one(counted, **parameters)]

    def _codes(self, rows: int, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The values of the columns that hold codes, the most frequent first. Ids, contacts and notes are none."""
        known = {check.column: check.values for check in self._table.checks if isinstance(check, InSet)}
        kinds = {column.name: column.sql_type for column in self._table.columns}
        keys = {*self._table.key, *(reference.column for reference in self._table.references)}
        found = []
        for column in columns:
            name, distinct = column["column"], column.get("distinct")
            is_code = name in known or kinds[name] == "BOOLEAN"
            if not distinct or name in keys or not (is_code or distinct * _REPEATED <= rows):
                continue
            # Not a count of nulls: those stand with the columns.
            then = f"where {name} is not null group by {name} order by 2 desc, 1"
            values = self._source.values(self._query, f"{name}, count(*)", then, _VALUES, **_ALL)
            listed = [
                {
                    "value": _text(value),
                    "rows": count,
                    "is_known": name not in known or str(value) in known[name],
                }
                for value, count in values
            ]
            found.append({"column": name, "distinct": distinct, "values": listed})
        return found

    def _money(self) -> list[dict[str, Any]]:
        """Totals of the money columns that the source keeps as numbers, to the cent, and the least and the largest."""
        names = self._query.summable
        if not names:
            return []
        cents = [f"round(cast({name} as decimal(18, 2)), 2)" for name in names]
        selected = [
            f"{what}(case when abs({name}) < 1e15 then {cent} end)"
            for name, cent in zip(names, cents, strict=True)
            for what in ("sum", "min", "max")
        ]
        values = iter(self._one(selected))
        return [
            {"column": name} | {what: _cents(next(values)) for what in ("total", "least", "largest")} for name in names
        ]

    def _orphans(self, reference: Reference) -> dict[str, Any]:
        """Rows that name something which its table does not hold, how many such ids there are, and a few."""
        found = {"column": reference.column, "table": reference.table}
        to = self._queries.get(reference.table)
        if to is None or reference.column not in self._query.columns:
            return found | {
                "detail": f"not compared: {reference.table if to is None else reference.column} is not there"
            }
        column = f"q.{reference.column}"
        alone = (
            f"where {column} is not null and not exists "
            f"(select 1 from ({to.text}\n) p where p.{reference.referred_column} = {column})"
        )
        try:
            counted = f"count(*), count(distinct {column})"
            [(rows, ids)] = self._source.values(self._query, counted, alone, **_ALL)
            examples = self._source.values(self._query, f"distinct {column}", alone, _EXAMPLES, **_ALL) if rows else []
        except SourceContractError as error:
            return found | {"detail": f"not compared: {error}"}
        return found | {"rows": rows, "ids": ids, "examples": [_text(value) for (value,) in examples]}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _cents(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.01"))
