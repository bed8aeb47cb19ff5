"""Everything that is kept of one customer, as one document."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from pipeline.engine.connection import open_connection, refusals
from pipeline.errors import ConfigError
from pipeline.ingest.erased_rows import customer_sha256
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.privacy import holdings
from pipeline.privacy.holdings import Holding
from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

# What has no column customer_id and belongs to a row that has one.
_BESIDE = {
    "ops.service_action_events": "action_events",
    "ops.revision_changes": "revision_changes",
    "ops.publications": "publications_of_customer",
}


def export(settings: Settings, customer_id: str) -> dict[str, Any]:
    """``lake``: rows by table, each with the ``partition`` it lies in; ``warehouse``: rows by table, those of every
    revision that is kept; with the history of actions and what each published month was made from.

    ConfigError where nothing is kept.
    """
    lake = Lake.of(settings)
    of_lake: dict[str, list[dict[str, Any]]] = {}
    quarantined: list[tuple[str, Any, int]] = []
    with refusals(), open_connection(settings) as database:
        for part in holdings.in_lake(lake, database, [customer_id]):
            rows = part.read(database, [customer_id])
            of_lake.setdefault(part.table, []).extend({"partition": part.name, **row} for row in rows)
            quarantined += _places(part, rows)
    with transaction(settings) as connection:
        of_warehouse = {
            table: _rows(connection, f"select * from {table} where customer_id = :customer", customer=customer_id)
            for table in holdings.in_warehouse(connection, [customer_id])
        }
        for table, query in _BESIDE.items():
            of_warehouse[table] = _rows(connection, statement(f"privacy/{query}"), customer=customer_id)
        of_warehouse["ops.quarantine"] = _quarantine(connection, quarantined)
        erased = "select * from ops.erasures where customer_sha256 = :sha256"
        of_warehouse["ops.erasures"] = _rows(connection, erased, sha256=customer_sha256(customer_id))
    of_warehouse = {table: rows for table, rows in of_warehouse.items() if rows}
    if not of_lake and not of_warehouse:
        raise ConfigError(f"nothing is kept of customer {customer_id}: is that the id, as the billing system names it?")
    return {
        "customer_id": customer_id,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lake": of_lake,
        "warehouse": of_warehouse,
    }


def _places(part: Holding, rows: list[dict[str, Any]]) -> list[tuple[str, Any, int]]:
    """Table, month and place of rows in quarantine, as ops.quarantine names them."""
    if not part.table.startswith(QUARANTINE):
        return []
    name = part.table.removeprefix(QUARANTINE)
    return [(name, part.keys[fact_key(name)].first_day, row["file_row_number"]) for row in rows]


def _quarantine(connection: Connection, places: list[tuple[str, Any, int]]) -> list[dict[str, Any]]:
    tables, months, numbers = zip(*places, strict=True) if places else ((), (), ())
    bound = {"tables": list(tables), "months": list(months), "numbers": list(numbers)}
    return _rows(connection, statement("privacy/quarantined"), **bound)


def _rows(connection: Connection, query: str, **bound: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(query), bound).mappings()]
