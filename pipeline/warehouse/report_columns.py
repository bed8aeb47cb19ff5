"""What the columns of the views in report say: ``sql/warehouse/reports/columns.yaml``, in the database as comments."""

from functools import cache
from pathlib import Path

import yaml
from sqlalchemy import Connection, text

from pipeline.settings import SQL
from pipeline.warehouse.connection import driver_connection

_SAID = """
select
    c.relname,
    a.attname,
    col_description(c.oid, a.attnum)
from pg_class as c
inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = to_regnamespace('report')
    and c.relkind = 'v'
"""


def meaning(view: str, column: str) -> str | None:
    """What a column says, in that view; None for one that nobody described."""
    described = _described(SQL / "warehouse" / "reports" / "columns.yaml")
    return described["views"].get(view, {}).get(column) or described["columns"].get(column)


def comment(connection: Connection) -> None:
    """Bring the comments of the views' columns up to date."""
    for view, column, said in connection.execute(text(_SAID)).all():
        wanted = meaning(view, column)
        if wanted is not None and wanted != said:
            quoted = wanted.replace("'", "''")
            statement = f'comment on column report."{view}"."{column}" is \'{quoted}\''
            driver_connection(connection).execute(statement)


@cache
def _described(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
