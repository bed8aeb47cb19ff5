"""Names of files in SQL; and Parquet files that extraction wrote under different versions of the source contract."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb


def literal(path: str | Path) -> str:
    """A file's name as SQL, for where DuckDB takes no parameter: in a view, as the target of COPY."""
    return "'" + str(path).replace("'", "''") + "'"


def literals(paths: Iterable[str]) -> str:
    """Names of files as a list in SQL."""
    return f"[{', '.join(map(literal, paths))}]"


# A process that rates month after month reads the same files again and again: each is asked once. A name in the lake is
# used once.
_COLUMNS: dict[str, frozenset[str]] = {}


def lacking(
    database: duckdb.DuckDBPyConnection, files: Sequence[str], columns: Mapping[str, str]
) -> tuple[dict[str, str], bool]:
    """Those of these columns that no file has, with their types; and whether one that some have is missing in others,
    so that they have to be read by name."""
    asked = [file for file in files if file not in _COLUMNS]
    if asked:
        query = "select file_name, list(name) from parquet_schema($files) group by file_name"
        with database.cursor() as session:
            found = session.execute(query, {"files": asked}).fetchall()
        _COLUMNS.update({file: frozenset(names) for file, names in found})
    held = [_COLUMNS.get(file, frozenset()) for file in files]
    absent = {name: kind for name, kind in columns.items() if not any(name in names for names in held)}
    mixed = any(name not in names for name in columns.keys() - absent.keys() for names in held)
    return absent, mixed
