"""Reads rows of the billing system without the lake: for actions that cannot wait for the month's extraction, and for
addresses, which the lake does not hold."""

from datetime import datetime

import pyarrow as pa

from pipeline.engine.connection import open_connection
from pipeline.settings import Settings
from pipeline.source.contract import table
from pipeline.source.read import BillingSystem
from pipeline.source.read.arrow_rows import trimmed


def recorded(
    name: str,
    since: datetime,
    before: datetime,
    settings: Settings,
    time_zone: str,
    *,
    selected: str = "select * from recorded",
) -> pa.Table | None:
    """The rows of a table by its extract query, recorded from ``since`` to before ``before``, in the contract's types.

    ``selected`` is a query over them. Instants without a zone are of ``time_zone``. A value that cannot be read is
    null. None where the billing system has no such table. Errors: those of ``BillingSystem``.
    """
    contracted = table(name)
    with BillingSystem(settings.source, time_zone) as source, open_connection(settings) as database:
        query = source.query(contracted)
        if query is None:
            return None
        with source.reading(query, recorded_from=since, recorded_before=before) as reading:
            batches, _ = trimmed(reading.batches, contracted.column_names)
            database.register("incoming", batches)
            present = {name: name if name in query.columns else "null" for name in contracted.column_names}
            columns = (f"try_cast({present[c.name]} as {c.sql_type}) as {c.name}" for c in contracted.columns)
            rows = f"select {', '.join(columns)} from incoming"
            return database.sql(f"with recorded as ({rows}) {selected}").to_arrow_table()
