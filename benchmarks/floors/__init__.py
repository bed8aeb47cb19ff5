"""What a step costs at least: its work as one would write it by hand for this purpose alone, on the same lake and
databases.

A floor is a module of the step's name with three functions, each run in a process of its own:

    prepare(month, settings, policy, folder, step)        what the timed part is given, as JSON
    run(given)                                            the work, timed: DuckDB, ADBC or psycopg, nothing of ours
    compare(month, settings, policy, folder, step, made)  DiffersError where that is not what our step did

``folder`` is the floor's own and empty, ``step`` what was measured of ours (``began``, ``result``), ``made`` what
``run`` returned. A floor checks nothing, stores no manifest, hash or fingerprint, and does not wait for the disk.

| floor | ours does besides |
|---|---|
| extract | totals of the source, rows of a wrong type, manifests |
| validate | reasons row by row, quarantine, results in the warehouse, pages |
| compute_indices | ids as text; accounts for the steps that follow |
| grade | checks of models and of the month before, counts, manifest |
| publish | audit, content hash, constraints, hash of the rows, swap |
| decide_actions | a comparison with the actions that are there, their history, limits and withdrawals |
"""

from typing import Any

import duckdb

STEPS = ("extract", "validate", "compute_indices", "grade", "publish", "decide_actions")


class DiffersError(Exception):
    """A floor did not do what our step did: their times cannot be compared."""


def agree(what: str, floor: Any, ours: Any) -> None:
    """DiffersError unless both are the same."""
    if floor != ours:
        raise DiffersError(f"{what}: {floor} by the floor, {ours} by ours")


def connect(given: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """A database in memory, as large as that of the step, with the views that ``given`` names."""
    config = {"memory_limit": given["memory"], "temp_directory": given["folder"]}
    database = silent(config | ({"threads": given["threads"]} if given["threads"] else {}))
    database.execute(f"set global timezone = '{given.get('timezone', 'UTC')}'")
    for view in given.get("views", ()):
        database.execute(view)
    return database


def silent(config: dict[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory that draws no progress bar among what the benchmark prints."""
    database = duckdb.connect(config=config or {})
    database.execute("set enable_progress_bar = false")
    return database


def write(database: duckdb.DuckDBPyConnection, query: str, file: str) -> int:
    """The result of a query as Parquet; its rows."""
    [(rows,)] = database.execute(f"copy ({query}) to '{file}' (format parquet, compression zstd)").fetchall()
    return rows
