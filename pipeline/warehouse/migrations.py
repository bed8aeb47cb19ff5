"""The warehouse's tables by numbered migrations, its views by their text.

A migration is ``sql/warehouse/migrations/<number>_<name>.sql``; ``ops.migrations`` holds the name of the last one that
ran. A view needs no migration: each file of ``sql/warehouse/reports`` is the query of a view in ``report``, made anew
whenever its text changes and dropped with its file; what its columns say is in ``columns.yaml`` beside them. A report
reads tables, never another report.
"""

import hashlib
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.reflection import ObjectKind

from pipeline.errors import WarehouseUnavailableError
from pipeline.resources import SQL, read_yaml
from pipeline.settings import Settings
from pipeline.warehouse.connection import driver_connection, transaction

# The key of the advisory lock that serializes migrations. Any number would do.
_LOCK = 7_269_461


def migrate(settings: Settings) -> list[str]:
    """Bring the warehouse up to date in one transaction; returns what was pending, empty when nothing was.

    Any number of processes may do it at once.
    """
    with transaction(settings) as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        done = _pending(connection)
        for name in done:
            if not name.startswith("report."):
                _run(connection, name)
        _make_views(connection)
        _comment_columns(connection)
        run_file(connection, SQL / "warehouse" / "grants.sql")
    return done


def pending(settings: Settings) -> list[str]:
    """Migrations that have not run and views that are not as their text says, in the order ``migrate`` makes them."""
    with transaction(settings) as connection:
        return _pending(connection)


def run_file(connection: Connection, path: Path) -> None:
    """Run a file of any number of statements unchanged; a colon or a percent sign in it means nothing."""
    driver_connection(connection).execute(path.read_text(encoding="utf-8"))


def _pending(connection: Connection) -> list[str]:
    last = _last(connection)
    known = _migrations()
    if last is not None and last > max(known):
        raise WarehouseUnavailableError(
            f"the warehouse was migrated by a newer gridgrade ({last}, this one knows {max(known)}): install that one"
        )
    migrations = [name for name in known if last is None or name > last]
    return migrations + [f"report.{name}" for name in sorted(_changed_views(connection, known=last is not None))]


def _migrations() -> list[str]:
    return sorted(path.stem for path in (SQL / "warehouse" / "migrations").glob("*.sql"))


def _last(connection: Connection) -> str | None:
    """The last migration that ran; None in a warehouse without tables."""
    if connection.scalar(text("select to_regclass('ops.migrations')")) is None:
        return None
    return connection.scalar(text("select version_num from ops.migrations"))


def _run(connection: Connection, name: str) -> None:
    connection.execute(text("create schema if not exists ops"))
    connection.execute(text("create table if not exists ops.migrations (version_num text primary key)"))
    run_file(connection, SQL / "warehouse" / "migrations" / f"{name}.sql")
    connection.execute(text("delete from ops.migrations"))
    connection.execute(text("insert into ops.migrations (version_num) values (:name)"), {"name": name})


def _texts() -> dict[str, str]:
    files = sorted((SQL / "warehouse" / "reports").glob("*.sql"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def _changed_views(connection: Connection, known: bool = True) -> set[str]:
    """Views to make or to drop."""
    wanted = {name: _sha256(query) for name, query in _texts().items()}
    made: dict[str, str] = (
        dict(connection.execute(text("select view_name, sha256 from ops.report_views")).all()) if known else {}
    )
    return {name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)}


def _make_views(connection: Connection) -> None:
    texts = _texts()
    for name in sorted(_changed_views(connection)):
        connection.execute(text("delete from ops.report_views where view_name = :name"), {"name": name})
        # Dropped and not replaced: columns may have gone. What a utility built on top of one stops this, and says so.
        connection.execute(text(f'drop view if exists report."{name}"'))
        if name in texts:
            row = {"name": name, "sha256": _sha256(texts[name])}
            driver_connection(connection).execute(f'create view report."{name}" as\n{texts[name]}')
            connection.execute(text("insert into ops.report_views (view_name, sha256) values (:name, :sha256)"), row)
            meaning = _meaning(texts[name]).replace("'", "''")
            driver_connection(connection).execute(f"comment on view report.\"{name}\" is '{meaning}'")


def _meaning(query: str) -> str:
    """The first comment of a report: what one row is."""
    return query.partition("\n")[0].removeprefix("--").strip()


def _sha256(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()


def column_meaning(view: str, column: str) -> str | None:
    """What a column says, in that view; None for one that nobody described."""
    described = _described(SQL / "warehouse" / "reports" / "columns.yaml")
    return described["views"].get(view, {}).get(column) or described["columns"].get(column)


def _comment_columns(connection: Connection) -> None:
    """Bring the comments of the views' columns up to date."""
    views = inspect(connection).get_multi_columns(schema="report", kind=ObjectKind.VIEW)
    for (_, view), columns in views.items():
        for column in columns:
            wanted = column_meaning(view, column["name"])
            if wanted is not None and wanted != column["comment"]:
                quoted = wanted.replace("'", "''")
                statement = f'comment on column report."{view}"."{column["name"]}" is \'{quoted}\''
                driver_connection(connection).execute(statement)


@cache
def _described(path: Path) -> dict:
    return read_yaml(path)
