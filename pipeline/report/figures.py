"""The figures of a month, read from the views of ``report`` in one snapshot: a bounded number of rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import session

MAX_ROWS = 400  # of a view: a page, not an extract


@dataclass(frozen=True)
class View:
    """Which rows of a view a report takes, in this order.

    Those of the months that lie ``at`` so many before its own, asked for one by one so that each reads its own
    partition alone; or, of a view of small tables, of ``months`` in a row up to its own. ``key`` are the columns that
    name a row. ``condition`` is more SQL of the view's own columns.
    """

    key: tuple[str, ...]
    order: str
    at: tuple[int, ...] = (0,)
    months: int | None = None
    month_column: str = "rating_month"
    condition: str = "true"


VIEWS = {
    "month_summary": View(("rating_month",), "rating_month"),
    "grade_distribution": View(
        ("rating_month", "grade"),
        "rating_month, grade_ordinal",
        at=(12, 1, 0),
    ),
    "grade_migration": View(("rating_month", "from_state", "to_state"), "from_ordinal, to_ordinal"),
    "reliability": View(
        ("rating_month", "version", "grade"),
        "segment_family, rating_month, version, grade_ordinal nulls last",
        months=24,
    ),
    "expected_loss": View(("rating_month", "segment", "region"), "expected_loss desc, segment, region"),
    "arrears_recovery": View(("rating_month",), "rating_month", months=24),
    "arrears_reconciliation": View(("rating_month", "segment", "outcome"), "segment, outcome"),
    "customer_groups": View(("rating_month", "group_name"), "revenue desc, group_name"),
    "group_profiles": View(("rating_month", "aspect", "group_name"), "aspect, mean_revenue desc, group_name"),
    "life_cycle_curve": View(
        ("rating_month", "life_cycle_stage"),
        "rating_month, stage_ordinal",
        at=(12, 0),
    ),
    "risk_sensitivity": View(
        ("rating_month", "segment", "risk_factor", "shock"), "segment, rank_by_absolute_change nulls last, shock"
    ),
    "index_drift": View(
        ("rating_month", "version", "index_name"), "segment_family, code nulls first, rating_month, version", months=12
    ),
    "top_reasons": View(("rating_month", "code"), "place", condition="place <= 10"),
    "action_summary": View(("rating_month", "action_type"), "decided desc, action_type"),
    "blocked_actions": View(("rating_month", "action_type", "blocked_by"), "actions desc, action_type, blocked_by"),
    "rebate_campaigns": View(("rating_month", "campaign"), "rating_month, campaign", months=12),
    "data_quality": View(("recorded_month", "table_name"), "table_name", month_column="recorded_month"),
    "publications": View(("rating_month", "revision"), "revision", condition="is_current"),
    "publication_models": View(
        ("rating_month", "revision", "segment_family"), "segment_family", condition="is_current"
    ),
}


@dataclass(frozen=True)
class Row(Mapping[str, Any]):
    """A row of a view that knows where it comes from. A value that was computed from it does not."""

    view: str
    values_by_column: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.values_by_column[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_column)

    def __len__(self) -> int:
        return len(self.values_by_column)

    @property
    def key(self) -> dict[str, str | None]:
        """The columns that name the row, as text."""
        values = {column: self[column] for column in VIEWS[self.view].key}
        return {column: None if value is None else str(value) for column, value in values.items()}


@dataclass(frozen=True)
class Figures:
    """The rows of each view of a month; ``cut``: views that have more rows than a page takes."""

    month: RatingMonth
    rows: Mapping[str, list[Row]]
    cut: frozenset[str]

    def __getitem__(self, view: str) -> list[Row]:
        return self.rows[view]

    def of_month(self, view: str, month: RatingMonth) -> list[Row]:
        return [row for row in self.rows[view] if row[VIEWS[view].month_column] == month.first_day]


def read(settings: Settings, month: RatingMonth) -> Figures:
    """What the views say of a month, all of one moment."""
    rows: dict[str, list[Row]] = {}
    with session(settings) as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            connection.execute(text("set local work_mem = '128MB'"))  # a month's customers are joined in memory
            connection.execute(text("set local jit = off"))  # costs are overestimated: compiling would take longer
            for name, view in VIEWS.items():
                rows[name] = _read(connection, name, view, month)
    cut = frozenset(name for name, found in rows.items() if len(found) > MAX_ROWS)
    return Figures(month, {name: found[:MAX_ROWS] for name, found in rows.items()}, cut)


def _read(connection: Connection, name: str, view: View, month: RatingMonth) -> list[Row]:
    of_months = f"{view.month_column} between :first and :last" if view.months else f"{view.month_column} = :last"
    query = text(
        f"select * from report.{name} where {of_months} and {view.condition} order by {view.order} limit {MAX_ROWS + 1}"
    )
    rows: list[Row] = []
    for before in (0,) if view.months else view.at:
        bound = {"last": (month - before).first_day}
        if view.months:
            bound["first"] = (month - (view.months - 1)).first_day
        rows += [Row(name, dict(row._mapping)) for row in connection.execute(query, bound)]
    return rows
