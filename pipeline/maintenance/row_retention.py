"""Which rows of the warehouse retention no longer keeps, counted, and removed in transactions of bounded size.

Each kind is a table and a condition, ``sql/warehouse/retention/<kind>.sql``. A row is looked at again when it is
removed: what somebody has changed since it was found stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from pipeline.actions.outbox.approval import take_lock
from pipeline.month import RatingMonth
from pipeline.policy.publication import Retention
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

# As many rows as one transaction removes.
BATCH = 10_000


@dataclass(frozen=True)
class Rows:
    """Rows of one table; ``rows`` and ``size_bytes`` as they were found."""

    kind: str
    table: str
    condition: str
    parameters: Mapping[str, Any] = field(repr=False)
    rows: int = 0
    size_bytes: int = 0

    def found(self, connection: Connection) -> "Rows":
        """The same with what there is of them."""
        counted = f"select count(*), coalesce(sum(pg_column_size(r.*)), 0) from {self._which}"
        rows, size = connection.execute(text(counted), self.parameters).one()
        return replace(self, rows=rows, size_bytes=int(size))

    def remove(self, settings: Settings) -> None:
        """Remove them; one that is killed on its way leaves the rest to the next."""
        places = text(f"select cast(r.ctid as text) from {self._which}")
        gone = text(f"delete from {self._which} and r.ctid = any(cast(:places as tid[]))")
        with transaction(settings) as reading:
            found = reading.execution_options(yield_per=BATCH).execute(places, self.parameters).scalars()
            for batch in found.partitions(BATCH):
                with transaction(settings) as connection:
                    take_lock(connection)
                    connection.execute(gone, {**self.parameters, "places": list(batch)})

    @property
    def _which(self) -> str:
        return f"{self.table} as r where {self.condition}"


def outdated(retention: Retention, months: list[RatingMonth], held: list[str], now: datetime) -> list[Rows]:
    """What is no longer kept where ``months`` are published and the lake holds the partitions ``held`` ("table month"),
    each kind after those that refer to it."""
    newest, lately = months[-1], now - timedelta(days=retention.min_age_days)

    def older(kept_months: int) -> dict[str, Any]:
        return {"before": (newest - (kept_months - 1)).first_day, "lately": lately}

    oldest = months[-retention.inputs_months :][0].first_day
    kinds = (
        ("outage_notices", "ops.outage_notices", older(retention.actions_months)),
        ("actions", "ops.service_actions", older(retention.actions_months)),
        ("events", "ops.service_action_events", older(retention.events_months)),
        ("validation_results", "ops.validation_results", older(retention.validation_months)),
        ("quarantine", "ops.quarantine", older(retention.quarantine_months) | {"held": held}),
        ("inputs", "ops.inputs", {"oldest": oldest}),
    )
    return [Rows(kind, table, statement(f"retention/{kind}"), parameters) for kind, table, parameters in kinds]
