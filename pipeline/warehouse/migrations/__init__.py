"""The warehouse's tables by numbered migrations, its views by their text.

A migration is ``sql/warehouse/<number>_<name>.sql`` with a file of the same name in ``versions/``. A view needs none:
each file of ``sql/reports`` is the query of a view in ``report``, made anew whenever its text changes and dropped with
its file. A report reads tables, never another report.
"""

import hashlib
from pathlib import Path

from sqlalchemy import Connection, text

from pipeline.settings import SQL, Settings
from pipeline.warehouse.connection import transaction

# One number for all who migrate, so that two at once take turns. Any number would do.
_LOCK = 7_269_461


def migrate(settings: Settings) -> list[str]:
    """Bring the warehouse up to date in one transaction; returns what was pending, empty when nothing was.

    Any number of processes may do it at once.
    """
    from alembic import command

    with transaction(settings) as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        done = _pending(connection)
        if any(not name.startswith("report.") for name in done):
            connection.execute(text("create schema if not exists ops"))
            command.upgrade(_config(connection), "head")
        _make_views(connection)
        run_file(connection, SQL / "warehouse" / "grants.sql")
    return done


def pending(settings: Settings) -> list[str]:
    """Migrations that have not run and views that are not as their text says, in the order ``migrate`` makes them."""
    with transaction(settings) as connection:
        return _pending(connection)


def run_file(connection: Connection, path: Path) -> None:
    """Run a file of any number of statements as it stands; a colon or a percent sign in it means nothing."""
    connection.connection.driver_connection.execute(path.read_text(encoding="utf-8"))


def _pending(connection: Connection) -> list[str]:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    context = MigrationContext.configure(
        connection, opts={"version_table": "migrations", "version_table_schema": "ops"}
    )
    current = context.get_current_revision()
    steps = ScriptDirectory.from_config(_config(connection)).iterate_revisions("head", current)
    migrations = [step.revision for step in reversed(list(steps))]
    return migrations + [f"report.{name}" for name in sorted(_changed_views(connection, known=current is not None))]


def _config(connection: Connection):
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _texts() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((SQL / "reports").glob("*.sql"))}


def _changed_views(connection: Connection, known: bool = True) -> set[str]:
    """Views to make or to drop."""
    wanted = {name: _sha256(query) for name, query in _texts().items()}
    made = dict(connection.execute(text("select view_name, sha256 from ops.report_views")).all()) if known else {}
    return {name for name in wanted.keys() | made.keys() if wanted.get(name) != made.get(name)}


def _make_views(connection: Connection) -> None:
    texts = _texts()
    for name in sorted(_changed_views(connection)):
        connection.execute(text("delete from ops.report_views where view_name = :name"), {"name": name})
        # Dropped and not replaced: columns may have gone. What a utility built on top of one stops this, and says so.
        connection.execute(text(f'drop view if exists report."{name}"'))
        if name in texts:
            row = {"name": name, "sha256": _sha256(texts[name])}
            connection.connection.driver_connection.execute(f'create view report."{name}" as\n{texts[name]}')
            connection.execute(text("insert into ops.report_views (view_name, sha256) values (:name, :sha256)"), row)
            meaning = _meaning(texts[name]).replace("'", "''")
            connection.connection.driver_connection.execute(f"comment on view report.\"{name}\" is '{meaning}'")


def _meaning(query: str) -> str:
    """The first comment of a report: what one row is."""
    return query.partition("\n")[0].removeprefix("--").strip()


def _sha256(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()
