"""``gridgrade source load``: a folder of ``<table>.parquet`` or ``<table>.csv`` files into the source database."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.errors import SourceContractError
from pipeline.settings import Settings
from pipeline.source.contract import Column, SourceTable, contract
from pipeline.source.write import replace_tables

_BATCH_ROWS = 65_536
_READABLE = (".parquet", ".csv")


def load_folder(
    folder: Path, settings: Settings, progress: Callable[[str, int], None] = lambda table, rows: None
) -> dict:
    """Replace what the source holds by the files of the folder: ``{"rows": {table: n}, "ignored": [...]}``.

    A missing optional table does not exist afterwards, a missing optional column is null, what the contract does not
    know is ignored and named. A missing required table or column, or a value that cannot be read as its column's type,
    is a SourceContractError, and the source keeps what it held. Instants without an offset are read as UTC.
    ``progress`` is called with a table and how many of its rows are read, every now and then.
    """
    files, ignored = _find(Path(folder))
    settings.scratch_path.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"memory_limit": settings.memory_limit}) as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute("set temp_directory = ?", [str(settings.scratch_path)])
        if settings.threads:
            engine.execute("set threads = ?", [settings.threads])
        for name, file in files.items():
            present = _open(engine, file).columns
            _require_columns(contract()[name], file, present)
            ignored += [f"{file.name}: {column}" for column in present if column not in contract()[name].column_names]

        def batches() -> Iterator[tuple[str, pa.RecordBatch]]:
            done: Counter[str] = Counter()
            for name, file in files.items():
                for batch in _read(engine, contract()[name], file):
                    yield name, batch
                    done[name] += batch.num_rows
                    progress(name, done[name])

        rows = replace_tables(settings.source_owner, batches())
    return {"rows": rows, "ignored": sorted(ignored)}


def _find(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The file of each table, and the names of all that is none."""
    if not folder.is_dir():
        raise SourceContractError(
            f"{folder} is not a folder: name one that holds customers.parquet, bills.parquet, ..."
        )
    files, ignored = {}, []
    for path in sorted(folder.iterdir()):
        if path.stem not in contract() or path.suffix not in _READABLE:
            ignored.append(path.name)
        elif path.stem in files:
            raise SourceContractError(f"{folder} holds both {path.stem}.csv and {path.stem}.parquet: keep one of them")
        else:
            files[path.stem] = path
    for table in contract().values():
        if table.is_required and table.name not in files:
            raise SourceContractError(
                f"{folder} holds no {table.name}.parquet or {table.name}.csv, and the source contract requires it: "
                f"see sql/contract/{table.name}.sql"
            )
    return {name: files[name] for name in contract() if name in files}, ignored


def _require_columns(table: SourceTable, file: Path, present: list[str]) -> None:
    if missing := table.missing_columns(present):
        raise SourceContractError(
            f"{file} has no column {', '.join(missing)}, which the source contract requires: add it, or see "
            f"sql/contract/{table.name}.sql"
        )


def _open(engine: duckdb.DuckDBPyConnection, file: Path) -> duckdb.DuckDBPyRelation:
    try:
        if file.suffix == ".parquet":
            return engine.read_parquet(str(file))
        return engine.read_csv(str(file), header=True, all_varchar=True, na_values="")
    except duckdb.Error as error:
        raise SourceContractError(f"{file} cannot be read as {file.suffix[1:]}: {_line(error)}") from error


def _read(engine: duckdb.DuckDBPyConnection, table: SourceTable, file: Path) -> Iterator[pa.RecordBatch]:
    """The file's rows in contract types, in the order in which they were recorded; at least one (empty) batch."""
    relation = _open(engine, file)
    present = set(relation.columns)
    columns = ", ".join(
        f"cast({_quoted(column) if column.name in present else 'null'} as {column.sql_type}) as {_quoted(column)}"
        for column in table.columns
    )
    try:
        reader = relation.project(columns).order(table.recorded_column).to_arrow_reader(_BATCH_ROWS)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise SourceContractError(_first_unreadable(relation, table, file) or f"{file}: {_line(error)}") from error


def _first_unreadable(relation: duckdb.DuckDBPyRelation, table: SourceTable, file: Path) -> str | None:
    for column in table.columns:
        if column.name not in relation.columns:
            continue
        name = _quoted(column)
        bad = relation.filter(f"{name} is not null and try_cast({name} as {column.sql_type}) is null")
        if found := bad.project(f"cast({name} as varchar)").limit(1).fetchall():
            ((value,),) = found
            return f"{file}, column {column.name}: {value!r} cannot be read as {column.sql_type}: correct the file"
    return None


def _quoted(column: Column) -> str:
    return f'"{column.name}"'


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
