"""Reads recent rows of the billing system without the lake, for actions that cannot wait for the month's extraction."""

from datetime import datetime

import pyarrow as pa

from pipeline.engine.connection import open_connection
from pipeline.settings import Settings
from pipeline.source.contract import table
from pipeline.source.read import BillingSystem


def recorded(name: str, since: datetime, before: datetime, settings: Settings) -> pa.Table | None:
    """The rows of a table by its extract query, recorded from ``since`` to before ``before``, in the contract's types.

    A value that cannot be read is null. None where the billing system has no such table. Errors: those of
    ``BillingSystem``.
    """
    contracted = table(name)
    with BillingSystem(settings.source) as source, open_connection(settings) as database:
        query = source.query(contracted)
        if query is None:
            return None
        with source.reading(query, recorded_from=since, recorded_before=before) as reading:
            database.register("incoming", reading.batches)
            present = {name: name if name in query.columns else "null" for name in contracted.column_names}
            columns = (f"try_cast({present[c.name]} as {c.sql_type}) as {c.name}" for c in contracted.columns)
            return database.sql(f"select {', '.join(columns)} from incoming").to_arrow_table()
