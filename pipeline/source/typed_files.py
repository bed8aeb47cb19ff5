"""Parquet files and Excel workbooks as tables, every row with its number."""

from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceContractError
from pipeline.source.contract import SourceTable
from pipeline.source.csv_text import LINE, TextFile
from pipeline.source.dialect import header_names

_ROWS = 50_000


def open_parquet(path: Path, where: str) -> TextFile:
    """A Parquet file in its own types. Errors: SourceContractError."""
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise SourceContractError(f"{where} cannot be read as parquet: {' '.join(str(error).split())}") from None
    if nested := [one for one in schema if pa.types.is_nested(one.type) or pa.types.is_binary(one.type)]:
        raise SourceContractError(
            f"{where}, column {nested[0].name}: {nested[0].type} is not a type of one plain value"
        )
    names = [f"c{number}" for number in range(len(schema))]

    def tables() -> Iterator[pa.Table]:
        row = 1
        try:
            for batch in file.iter_batches(_ROWS):
                numbers = pa.array(range(row, row + batch.num_rows), pa.int64())
                yield pa.table([*batch.columns, numbers], [*names, LINE])
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise SourceContractError(
                f"{where} cannot be read behind row {row - 1}: {' '.join(str(error).split())}: write it again"
            ) from None

    return TextFile(header_names(schema.names), "parquet", tables(), row_word="row")


def open_workbook(path: Path, table: SourceTable, where: str) -> TextFile:
    """The sheet of a workbook that bears the table's name, or its only one, as text. Errors: SourceContractError."""
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_path(path)
        names = [name for name in workbook.sheet_names if name.strip().casefold() == table.name] or [
            name for name in workbook.sheet_names if workbook.get_sheet_by_name(name).end
        ]
        if len(names) > 1:
            raise SourceContractError(
                f"{where} has several sheets ({', '.join(names)}): name the one to load {table.name}"
            )
        sheet = workbook.get_sheet_by_name(names[0]) if names else None
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise SourceContractError(f"{where} cannot be read as a workbook: {' '.join(str(error).split())}") from None
    rows = _rows(sheet) if sheet else iter(())
    number, header = next(rows, (0, []))
    if not header:
        raise SourceContractError(
            f"{where} is empty: its first row has to name the columns, {', '.join(table.required_columns)}"
        )
    columns = header_names(_as_text(cell) or "" for cell in header)
    if not set(columns) & set(table.column_names):
        raise SourceContractError(
            f"{where}, row {number} names no column of {table.name}; the first row has to be the header, "
            f"{', '.join(table.required_columns)}"
        )
    opened = TextFile(columns, f"sheet {names[0]}", iter(()), row_word="row")
    opened.tables = _tables(rows, len(columns), opened)
    return opened


def _rows(sheet: Any) -> Iterator[tuple[int, list]]:
    """The rows that hold anything, with the numbers that Excel shows."""
    if sheet.start is None:
        return
    for number, row in enumerate(sheet.to_python(skip_empty_area=False), start=1):
        if any(cell != "" for cell in row):
            yield number, row


def _tables(rows: Iterator[tuple[int, list]], width: int, opened: TextFile) -> Iterator[pa.Table]:
    names = [*(f"c{number}" for number in range(width)), LINE]
    while numbered := list(islice(rows, _ROWS)):
        columns = zip(*(row for _, row in numbered), strict=True)
        values = [pa.array([_as_text(cell) for cell in column], pa.string()) for column in columns]
        yield pa.table([*values[:width], pa.array([number for number, _ in numbered], pa.int64())], names)


def _as_text(cell: Any) -> str | None:
    """A cell as Excel shows it: numbers with the 15 digits that it keeps."""
    if cell is None or isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        text = f"{cell:.15g}"
        return text if "e" not in text else text.upper()
    if isinstance(cell, date):  # and datetime
        return cell.isoformat(sep=" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell)
