"""A DuckDB connection within the settings' memory, threads and scratch folder, and nothing fetched from outside."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipeline.errors import ConfigError, LakeError
from pipeline.private import make_folder
from pipeline.settings import Settings, is_url

_LOST = re.compile('No files found that match the pattern "(.*)"')
_REFUSED = re.compile(r"^(?:[\w.]+\.)?LakeError: (.*)$", re.MULTILINE)  # of engine/objects.py, within DuckDB's words


@contextmanager
def refusals() -> Iterator[None]:
    """What DuckDB refuses for want of memory, as a ConfigError that names the setting; an interrupt as one; a file of
    the lake that is gone or cannot be read, as a LakeError."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        what = str(error).partition("\n")[0]
        raise ConfigError(f"GRIDGRADE_MEMORY_LIMIT is too small for this step: {what}; raise it") from None
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except Exception as error:  # a stream says it in Arrow's words
        if lost := _LOST.search(str(error)):
            raise LakeError(gone(lost[1])) from None
        if refused := _REFUSED.findall(str(error)):
            raise LakeError(refused[-1]) from None
        raise


def gone(file: str) -> str:
    """What is said of a file that was there when its partition was looked up."""
    return f"lake file {file} is gone: another run has replaced or removed its partition meanwhile; run again"


def open_connection(settings: Settings, timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
    """A new in-memory database, which reads the lake in an object store too. What does not fit in ``memory_limit``
    spills under ``settings.scratch_path``.

    ``timezone`` is where an instant's date is read off. The connection's cursors may run at the same time, within the
    same settings and memory. LakeError when the scratch folder cannot be made.
    """
    try:
        make_folder(settings.scratch_path)
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
    if is_url(settings.lake_path):
        from pipeline.engine.objects import objects

        connection.register_filesystem(objects(str(settings.lake_path)))
    connection.execute("set enable_progress_bar = false")  # else an interactive process prints one among its output
    return connection
