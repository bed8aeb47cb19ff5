"""``gridgrade source load``: a folder of CSV, Parquet or Excel files into the source database, whole or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine.connection import open_connection
from pipeline.errors import SourceContractError
from pipeline.settings import Settings
from pipeline.source.contract import SourceTable, contract
from pipeline.source.csv_text import LINE, TextFile, open_csv
from pipeline.source.dialect import LoadOptions, options_of
from pipeline.source.files import find, suffix
from pipeline.source.typed_files import open_parquet, open_workbook
from pipeline.source.values import BLANK, WAYS_OUT, prepare, reason_column, typed_query
from pipeline.source.write import replace_tables

_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Refusal:
    """Values of a column of a file that are wrong for one reason: the first, and how many.

    Of a file that cannot be read on, ``reason`` is "structure" and ``message`` says all.
    """

    file: str
    reason: str
    message: str
    column: str | None = None
    line: int | None = None
    count: int = 1


def load_folder(
    folder: Path,
    settings: Settings,
    *,
    stated: LoadOptions | None = None,
    time_zone: str = "UTC",
    dry_run: bool = False,
    advance: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> dict[str, Any]:
    """Replace what the source holds by the files of the folder; with ``dry_run`` read them all and replace nothing.

    ``stated``: options that come before the folder's load.yaml. ``time_zone``: that of instants without an offset,
    where neither states one. ``advance`` is told of each file, before it is read.

    Returns ``rows`` by table; ``files``, how each was read; ``ignored``, files, columns and blank lines that are not
    loaded; and of a dry run ``refused``, a ``Refusal`` as a dict for each file, column and reason. A missing optional
    table does not exist afterwards, a missing optional column is null.

    Errors: SourceContractError for the first line that cannot be loaded as it is, and the source keeps what it held;
    ConfigError for options that cannot be used; SourceUnavailableError.
    """
    folder = Path(folder)
    files, ignored = find(folder)
    options = options_of(folder, stated or LoadOptions())
    with open_connection(settings) as engine:
        prepare(engine)
        loading = _Loading(engine, folder, time_zone, dry_run)
        to_read = [(name, path) for name, paths in files.items() for path in paths]
        for number, (name, path) in enumerate(to_read):
            advance(number, len(to_read) + 1, f"reading {path}")
            loading.read(contract()[name], path, options(name))
        advance(len(to_read), len(to_read) + 1, f"loading {len(loading.rows)} tables")
        rows = loading.rows if dry_run else replace_tables(settings.source_owner, loading.batches())
    result: dict[str, Any] = {"rows": rows, "files": loading.files, "ignored": sorted([*ignored, *loading.ignored])}
    return result | {"refused": [asdict(refusal) for refusal in loading.refused.values()]} if dry_run else result


class _Loading:
    """The files that are read so far, in contract types in tables of a scratch database."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, folder: Path, time_zone: str, dry_run: bool):
        self.engine, self.folder, self.time_zone, self.dry_run = engine, folder, time_zone, dry_run
        self.rows: dict[str, int] = {}
        self.files: list[dict[str, Any]] = []
        self.ignored: list[str] = []
        self.refused: dict[tuple[str, str | None, str], Refusal] = {}

    def read(self, table: SourceTable, path: Path, options: LoadOptions) -> None:
        where = str(path.relative_to(self.folder))
        self.rows.setdefault(table.name, 0)
        before = self.rows[table.name]
        columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in table.columns)
        self.engine.execute(f"create table if not exists {table.name} ({columns})")
        try:
            file = _open(path, table, options, where)
            self._check_columns(table, file, where)
            for arrived in file.tables:
                self._take(table, file, arrived, options, where)
        except SourceContractError as error:
            if not self.dry_run:
                raise
            self.refused[where, "", "structure"] = Refusal(where, "structure", str(error))
            return
        rows = self.rows[table.name] - before
        self.files.append({"table": table.name, "file": where, "rows": rows, "read_as": file.written})
        if file.blank_lines:
            self.ignored.append(f"{where}: {file.blank_lines} blank {file.row_word}s")

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The rows of each table in the order in which they were recorded; at least one (empty) batch."""
        for name in self.rows:
            recorded = contract()[name].recorded_column
            reader = self.engine.sql(f"select * from {name} order by {recorded}").to_arrow_reader(_BATCH_ROWS)
            yield name, pa.RecordBatch.from_pylist([], schema=reader.schema)
            for batch in reader:
                yield name, batch

    def _check_columns(self, table: SourceTable, file: TextFile, where: str) -> None:
        named = [name for name in file.names if name in table.column_names]
        if twice := [name for name in named if named.count(name) > 1]:
            raise SourceContractError(f"{where} has the column {twice[0]} twice: keep the one that is meant")
        if missing := table.missing_columns(named):
            raise SourceContractError(
                f"{where} has no column {', '.join(missing)}, which the source contract requires: add it, or see "
                f"sql/contract/{table.name}.sql"
            )
        others = (
            name or f"column {number} without a name" for number, name in enumerate(file.names, 1) if name not in named
        )
        self.ignored += [f"{where}: {name}" for name in others]

    def _take(self, table: SourceTable, file: TextFile, arrived: pa.Table, options: LoadOptions, where: str) -> None:
        query = typed_query(table, file.names, arrived.schema, options, self.time_zone)
        self.engine.register("incoming", arrived)
        typed = self.engine.sql(query.sql, params=query.parameters).to_arrow_table()
        self.engine.unregister("incoming")
        if pc.any(typed[BLANK]).as_py():
            file.blank_lines += pc.sum(typed[BLANK]).as_py()
            is_filled = pc.invert(typed[BLANK])
            typed, arrived = typed.filter(is_filled), arrived.filter(is_filled)
        self._refuse(table, file, arrived, typed, options, where)
        self.rows[table.name] += typed.num_rows
        if not self.dry_run:
            kept = typed.select(list(table.column_names))
            self.engine.register("typed", kept)
            self.engine.execute(f"insert into {table.name} from typed")
            self.engine.unregister("typed")

    def _refuse(
        self, table: SourceTable, file: TextFile, arrived: pa.Table, typed: pa.Table, options: LoadOptions, where: str
    ) -> None:
        """Note what is wrong with the values; unless this is a dry run, the first wrong one is an error."""
        found: list[Refusal] = []
        for column in table.columns:
            if reason_column(column.name) not in typed.column_names:
                continue
            reasons = typed[reason_column(column.name)]
            if reasons.null_count == len(reasons):
                continue
            for reason in pc.unique(reasons.drop_null()).to_pylist():
                at = pc.index(reasons, reason).as_py()
                line = typed[LINE][at].as_py()
                values = [arrived[f"c{number}"][at].as_py() for number in range(len(file.names))]
                message = _message(column, reason, values[file.names.index(column.name)], options)
                place = f"{where}, {file.row_word} {line}"
                if _is_header(values, file.names):
                    message = f"{place} is a header again: put the second export into a file of its own"
                else:
                    message = f"{place}, column {column.name}: {message}"
                count = pc.sum(pc.equal(reasons, reason)).as_py()
                found.append(Refusal(where, reason, message, column.name, line, count))
        if found and not self.dry_run:
            raise SourceContractError(min(found, key=lambda refusal: refusal.line or 0).message)
        for refusal in found:
            key = (where, refusal.column, refusal.reason)
            earlier = self.refused.get(key)
            if earlier is None:
                self.refused[key] = refusal
            else:
                self.refused[key] = Refusal(**asdict(earlier) | {"count": earlier.count + refusal.count})


def _open(path: Path, table: SourceTable, options: LoadOptions, where: str) -> TextFile:
    match suffix(path):
        case ".parquet":
            return open_parquet(path, where)
        case ".xlsx":
            return open_workbook(path, table, where)
    return open_csv(path, table, options, where)


def _message(column: Any, reason: str, value: Any, options: LoadOptions) -> str:
    hint = ""
    if column.sql_type.startswith("DECIMAL") and options.decimal is None:
        hint = ", or state --decimal"
    elif column.sql_type in ("DATE", "TIMESTAMPTZ"):
        hint = ", or state --date-format" if options.date_format is None else f" ({options.date_format} was stated)"
    shown = repr(str(value)[:80]) if value is not None else "''"
    return f"{shown} {WAYS_OUT[reason].format(type=column.sql_type, hint=hint)}"


def _is_header(values: list[Any], names: tuple[str, ...]) -> bool:
    return [str(value).strip().casefold() for value in values] == list(names)
