"""The console's queries, sql/warehouse/console/<name>.sql, run in the warehouse."""

from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from pipeline.settings import Settings
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.statements import statement

# A page that takes longer than this is stopped, and says so.
TIMEOUT_SECONDS = 20


def rows(settings: Settings, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query, parameters bound."""
    with transaction(settings) as connection:
        connection.execute(text(f"set local statement_timeout = '{TIMEOUT_SECONDS}s'"))
        return [dict(row) for row in connection.execute(_statement(name), parameters).mappings()]


@cache
def _statement(name: str) -> TextClause:
    return text(statement(f"console/{name}"))
