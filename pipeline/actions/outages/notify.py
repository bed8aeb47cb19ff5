"""Actions outside the monthly cycle: notices of planned outages, and escalation of trouble reports.

Reads the billing system's current rows, the customers of the lake's latest snapshot, and the latest published month.
Runs every few minutes. The moment is a parameter, and running again for the same moment changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from pipeline.actions.outages import notices
from pipeline.actions.outbox import propose
from pipeline.engine import Engine, open_engine
from pipeline.engine.queries import compose
from pipeline.lake import Lake
from pipeline.policy import Policy
from pipeline.policy.actions import RepairPriority
from pipeline.settings import Settings
from pipeline.source import recent, table
from pipeline.warehouse import publications
from pipeline.warehouse.connection import bulk_transaction, ingested, transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

REPAIR = "repair_priority"
_NEEDED = ("customer_id", "feeder_id", "connected_on", "closed_on", "contract_capacity_kva", "is_life_support")


def notify_outages(at: datetime, settings: Settings, policy: Policy, *, run_kind: str = "command") -> dict[str, Any]:
    """Write notices of the planned outages known at an instant. Returns the counts of ``notices.write_notices``, and:

    ``outages``: how many are still to come. ``because``: why nothing was done. Customers who were notified of an outage
    that the billing system no longer has are notified that it is called off, unless the billing system has no outages
    at all: its table is then taken to be faulty.
    """
    terms, counts = policy.measures.outage_notices, {"at": at.isoformat(), "outages": 0}
    publication, because = _followed(at, settings)
    if publication is None:
        return counts | {"because": because}
    rows = recent.recorded("outages", at - timedelta(days=terms.look_back_days), at, settings, policy.timezone)
    if rows is None or not rows.num_rows:
        return counts | {"because": "the billing system shows no outages"}
    with open_engine(settings) as engine:
        _bind(engine, settings, "outages", rows)
        planned = engine.fetch(compose("select * from planned_outages order by outage_id"))
        counts["outages"] = sum(moment > at for moment in planned["starts_at"].to_pylist())
        affected = engine.batches(compose("select * from affected_by_outage"), {"at": at})
        with bulk_transaction(settings) as warehouse, warehouse.cursor() as cursor:
            propose.take_lock(cursor)
            with ingested(cursor, "planned", planned.to_reader()), ingested(cursor, "affected", affected):
                cursor.execute("analyze affected")
                counts |= notices.write_notices(cursor, at, publication, terms, run_kind)
    return counts


def escalate_repairs(at: datetime, settings: Settings, policy: Policy, *, run_kind: str = "command") -> dict[str, Any]:
    """Escalate reports of outages and bad voltage by the customers with priority; ``repairs``: how many are new."""
    terms: RepairPriority | None = policy.measures.repair_priority
    counts: dict[str, Any] = {"at": at.isoformat(), "repairs": 0}
    publication, because = _followed(at, settings)
    if publication is None or terms is None:
        return counts | {"because": because or "the policy has no repair_priority"}
    since = at - timedelta(hours=terms.look_back_hours)
    rows = recent.recorded("service_contacts", since, at, settings, policy.timezone)
    if rows is None:
        return counts | {"because": "the billing system has no service_contacts"}
    with open_engine(settings) as engine:
        _bind(engine, settings, "service_contacts", rows)
        bound = {"large_from_kva": policy.measures.service_levels.large_from_kva}
        trouble = engine.batches(compose("select * from trouble_reports"), bound)
        with bulk_transaction(settings) as warehouse, warehouse.cursor() as cursor:
            propose.take_lock(cursor)
            with ingested(cursor, "trouble", trouble):
                deadlines = [publication.rating_month.first_day, terms.emergency_hours, terms.priority_hours]
                repairs = statement("outages/repairs", iso_utc=notices.ISO_UTC)
                counts["repairs"] = notices.propose_now(cursor, publication, REPAIR, repairs, deadlines, run_kind)
    return counts


def _followed(at: datetime, settings: Settings) -> tuple[Publication | None, str | None]:
    """The latest published month, or the reason why it cannot be used at that moment."""
    with transaction(settings) as connection:
        publication = publications.latest(connection)
    if publication is None:
        return None, "nothing is published yet"
    if at.date() < publication.rating_month.first_day:
        return None, f"{publication.rating_month} is published, which comes after that moment"
    return publication, None


def _bind(engine: Engine, settings: Settings, name: str, rows: pa.Table) -> None:
    """The rows just read, and the customers of the latest validated snapshot, none where there is none."""
    kinds = {column.name: column.sql_type for column in table("customers").columns}
    lake = Lake.of(settings)
    known = [month for month in lake.facts("customers") if lake.is_validated("customers", month)]
    files = lake.fact_files("customers", known[-1:])
    engine.bind_facts("customers", {needed: kinds[needed] for needed in _NEEDED}, files)
    engine.bind_table(name, rows)
