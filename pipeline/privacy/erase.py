"""Erasing customers: their records leave the lake, their rows in the warehouse become nobody's.

What was published stays what it was, to the figure, and says no more whose it is. An erasure that is broken off is
finished by the same call; what it has done by then is not wrong, only not all.
"""

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import duckdb
from markupsafe import escape

from pipeline.engine.connection import open_connection, refusals
from pipeline.errors import ConfigError
from pipeline.ingest import validation_pages
from pipeline.ingest.erased_rows import customer_sha256
from pipeline.lake import QUARANTINE, Lake
from pipeline.policy import Policy
from pipeline.privacy import holdings, warehouse_rows
from pipeline.privacy.holdings import Holding
from pipeline.privacy.lake_rows import LakeRows
from pipeline.publishing import lake_copy
from pipeline.settings import Settings
from pipeline.source import table
from pipeline.warehouse import locks, publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.tables import erasures


def survey(settings: Settings, customers: Collection[str]) -> dict[str, int]:
    """Rows of these customers by table, those of the lake as ``lake/<table>``.

    ConfigError names a customer of whom nothing is kept, unless an erasure of theirs was broken off.
    """
    with refusals(), open_connection(settings) as database:
        return _survey(settings, database, customers)


def erase(
    settings: Settings, policy: Policy, customers: Collection[str], *, erased_by: str, reason: str
) -> dict[str, int]:
    """Erase customers, on record; returns what ``survey`` found. No month is rated meanwhile.

    ActionError while one of their actions is being sent; LakeError, before anything is changed, where a partition is
    damaged; ConfigError as in ``survey``; WarehouseUnavailableError when a month is being rated for too long.
    """
    lake = Lake.of(settings)
    hashes = [customer_sha256(name) for name in customers]
    with (
        refusals(),
        locks.cleaning(settings, policy.publish.lock_timeout_seconds, "gridgrade customer erase"),
        open_connection(settings) as database,
    ):
        found = _survey(settings, database, customers)
        parts = list(holdings.in_lake(lake, database, customers))
        for part in parts:
            lake.check(part.partition)  # what is damaged is not sealed anew
        with transaction(settings) as connection:
            warehouse_rows.require_unsent(connection, customers)
            erasures.begin(connection, hashes, erased_by, reason, found)
        with transaction(settings) as connection:
            warehouse_rows.rename(connection, customers, erased_by)
        _remove_pages(settings, database, customers, parts)
        LakeRows(settings, lake, database, customers).erase(parts)
        copied = {part.keys["rating_month"] for part in parts if part.table == lake_copy.COPY}
        with transaction(settings) as connection:
            published = [one for one in publications.published(connection) if one.rating_month in copied]
        for publication in published:
            lake_copy.ensure(settings, publication, anew=True)
        lake.sweep()
        for stored in lake.unnamed():  # by one that was broken off; nobody else is writing
            lake.remove_unnamed(stored)
        with transaction(settings) as connection:
            erasures.complete(connection, hashes)
    return found


def _survey(settings: Settings, database: duckdb.DuckDBPyConnection, customers: Collection[str]) -> dict[str, int]:
    held: list[tuple[str, Mapping[str, int]]] = [
        (f"lake/{part.table}", part.rows) for part in holdings.in_lake(Lake.of(settings), database, customers)
    ]
    with transaction(settings) as connection:
        held += holdings.in_warehouse(connection, customers).items()
        broken_off = erasures.unfinished(connection)
    found: Counter[str] = Counter()
    for name, rows in held:
        found[name] += sum(rows.values())
    known = {customer for _, rows in held for customer in rows}
    for customer in customers:
        if customer not in known and customer_sha256(customer) not in broken_off:
            raise ConfigError(
                f"nothing is kept of customer {customer}, so nothing was erased: is that the id, as the billing system "
                "names it?"
            )
    return dict(found)


def _remove_pages(
    settings: Settings, database: duckdb.DuckDBPyConnection, customers: Collection[str], parts: Iterable[Holding]
) -> None:
    """Remove the validation pages that list a record of one of these; a month's next validation writes them anew."""
    names = set(customers)
    for part in parts:
        if part.table.startswith(QUARANTINE):
            keys = table(part.table.removeprefix(QUARANTINE)).key
            names |= {str(row[key]) for row in part.read(database, customers) for key in keys if row[key]}
    named = re.compile("|".join(rf"(?<![\w-]){re.escape(str(escape(name)))}(?![\w-])" for name in sorted(names)))
    folder = settings.data_docs_path
    found = [
        run
        for _, run in validation_pages.runs(folder)
        if any(named.search(page.read_text(encoding="utf-8")) for page in run.glob("*.html"))
    ]
    for run in found:
        shutil.rmtree(run)
    if found:
        validation_pages.rebuild_index(folder)
