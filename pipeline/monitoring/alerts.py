"""What somebody has to hear of, as of a moment: late and stale months, models past a limit, an overdue queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

_NAMED = 5


@dataclass(frozen=True)
class Alert:
    """``kind``: failed, late, stale, monitoring or overdue. ``line`` says what is wrong and what to do."""

    kind: str
    line: str
    link: str = ""

    @property
    def subject(self) -> str:
        return f"Gridgrade: {self.kind}: {self.line.partition(':')[0]}"


def find(at: datetime, settings: Settings, policy: Policy) -> list[Alert]:
    """The alerts as of an instant; none where no month was ever published. WarehouseUnavailableError."""
    with transaction(settings) as connection:
        latest = publications.latest(connection)
        if latest is None:
            return []
        found = [
            *_late(at, latest.rating_month, policy),
            *_stale(connection),
            *_monitoring(connection),
            *_overdue(connection, at, policy),
        ]
    return found


def _late(at: datetime, latest: RatingMonth, policy: Policy) -> list[Alert]:
    due = RatingMonth.of((at.astimezone(ZoneInfo(policy.timezone)) - timedelta(policy.alerts.late_after_days)).date())
    missing = due - 1
    if latest >= missing:
        return []
    months = str(missing) if latest + 1 == missing else f"{latest + 1} to {missing}"
    line = f"{months} not published {policy.alerts.late_after_days} days after the month's end: "
    return [Alert("late", line + "look at the run of credit_rating, or gridgrade rate")]


def _stale(connection: Connection) -> list[Alert]:
    months = [str(publication.rating_month) for publication in publications.stale(connection)]
    if not months:
        return []
    named = f"{_first(months)} built on what has changed since"
    return [Alert("stale", f"{named}: gridgrade backfill --stale rates them again")]


def _monitoring(connection: Connection) -> list[Alert]:
    rows = connection.execute(text(statement("alerts/failed_checks"))).mappings().all()
    alerts = []
    for version, of_version in groupby(rows, key=lambda row: row["version"]):
        checks = list(of_version)
        named = _first([f"{row['measure']} {row['subject']}".strip() for row in checks])
        line = f"{version} past a limit in {RatingMonth.of(checks[0]['rating_month'])}: {named}; "
        alerts.append(Alert("monitoring", f"{line}gridgrade models show {version}"))
    return alerts


def _overdue(connection: Connection, at: datetime, policy: Policy) -> list[Alert]:
    rows = connection.execute(text(statement("alerts/overdue_actions")), {"now": at}).mappings().all()
    number = sum(row["actions"] for row in rows)
    if number <= policy.alerts.overdue_actions:
        return []
    named = _first([f"{row['actions']:,} {row['action_type']} {row['status']}" for row in rows])
    return [Alert("overdue", f"{number:,} actions past their due time: {named}; gridgrade actions list shows them")]


def _first(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
