"""Embedded databases in place of those that the settings do not name."""

from pipeline.local.postgres import EmbeddedPostgres
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
