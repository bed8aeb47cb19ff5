"""Names of files in SQL; and Parquet files that extraction wrote under different versions of the source contract."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb


def literal(path: str | Path) -> str:
    """A file's name as SQL, for where DuckDB takes no parameter: in a view, as the target of COPY."""
    return "'" + str(path).replace("'", "''") + "'"


def literals(paths: Iterable[str]) -> str:
    """Names of files as a list in SQL."""
    return f"[{', '.join(map(literal, paths))}]"


# A process that rates month after month reads the same files again and again: each is asked once, as long as it stays.
_COLUMNS: dict[tuple[str, int, int], frozenset[str]] = {}


def lacking(
    database: duckdb.DuckDBPyConnection, files: Sequence[str], columns: Mapping[str, str]
) -> tuple[dict[str, str], bool]:
    """Those of these columns that no file has, with their types; and whether one that some have is missing in others,
    so that they have to be read by name."""
    marks = {file: _mark(file) for file in files}
    asked = [file for file, mark in marks.items() if mark not in _COLUMNS]
    if asked:
        query = "select file_name, list(name) from parquet_schema($files) group by file_name"
        with database.cursor() as session:
            found = session.execute(query, {"files": asked}).fetchall()
        _COLUMNS.update({marks[file]: frozenset(names) for file, names in found})
    held = [_COLUMNS.get(mark, frozenset()) for mark in marks.values()]
    absent = {name: kind for name, kind in columns.items() if not any(name in names for names in held)}
    mixed = any(name not in names for name in columns.keys() - absent.keys() for names in held)
    return absent, mixed


def _mark(file: str) -> tuple[str, int, int]:
    """A file by its name, and what is another number when another file has come under that name."""
    stat = os.stat(file)
    return file, stat.st_ino, stat.st_mtime_ns
