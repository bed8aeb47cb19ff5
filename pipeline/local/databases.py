"""Embedded databases in place of those that the settings do not name."""

from sqlalchemy import URL

from pipeline.local.postgres import EmbeddedPostgres
from pipeline.local.postgres_roles import passwords_path
from pipeline.settings import Settings


def with_databases(settings: Settings) -> Settings:
    """The settings, with the embedded PostgreSQL under ``home`` for a source or a warehouse that they do not name.

    It is started where it does not run, and runs at least until this process ends. ConfigError where it cannot.
    """
    if settings.source_url and settings.warehouse_url:
        return settings
    server = EmbeddedPostgres.running(settings.home / "postgres")
    return settings.with_databases(
        source=server.source_reader, source_owner=server.source_owner, warehouse=server.warehouse
    )


def reader_address(settings: Settings) -> str:
    """Where report readers connect to, without the password; for the embedded warehouse, where that stands."""
    if settings.warehouse_url:
        return f"{settings.warehouse!r}, as a role that may read the schema report"
    server = EmbeddedPostgres.running(settings.home / "postgres")
    url = server.warehouse_reader
    address = URL.create("postgresql", url.username, host=url.host, port=url.port, database=url.database)
    return f"{address.render_as_string()}, password of {url.username} in {passwords_path(server.folder)}"
