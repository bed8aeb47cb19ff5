"""A DuckDB connection within the settings' memory, threads and scratch folder, and nothing fetched from outside."""

import duckdb

from pipeline.errors import LakeError
from pipeline.settings import Settings


def open_connection(settings: Settings, timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
    """A new in-memory database. What does not fit in ``memory_limit`` spills under ``settings.scratch_path``.

    ``timezone`` is where an instant's date is read off. The connection's cursors may run at the same time, within the
    same settings and memory. LakeError when the scratch folder cannot be made.
    """
    try:
        settings.scratch_path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LakeError(f"{settings.scratch_path} cannot be made: {error.strerror}; check GRIDGRADE_HOME") from error
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(settings.scratch_path),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if settings.threads:
        config["threads"] = settings.threads
    connection = duckdb.connect(config=config)
    connection.execute(f"set global timezone = '{timezone}'")
    return connection
