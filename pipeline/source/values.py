"""What a table of text holds, in the contract's types, and what is wrong with each value; the macros of sql/load."""

from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from pipeline.resources import SQL
from pipeline.source.contract import Column, SourceTable
from pipeline.source.csv_text import LINE
from pipeline.source.dialect import LoadOptions

BLANK = "_blank"
WAYS_OUT = {
    "empty": "is empty, and the source contract requires a value: fill it in, or remove a line that is no record",
    "unreadable": "cannot be read as {type}: correct it{hint}",
    "rounded": "has more decimals than {type} keeps, and nothing is rounded: correct it{hint}",
    "thousands": "may be a number in thousands: write it without separators, or state --decimal . or --decimal ,",
    "early": "lies before 1900: write the year with four digits, or state --date-format with %y",
    "nul": "holds a NUL character, which no database keeps: remove it",
    "lines": "holds as many delimiters as a line, and line ends: close the quote in front of it",
    "formula": "is a spreadsheet's formula: export the column as text",
    "nothing": "is how an export may write that there is no value: leave it empty, or correct it",
    "exponent": "was an id before a spreadsheet shortened it: export the column as text",
}
"""The reasons of sql/load/values.sql, and what to do."""


@dataclass(frozen=True)
class TypedQuery:
    """A query over a table of text named ``incoming``."""

    sql: str
    parameters: dict[str, str | None] = field(default_factory=dict)


def prepare(engine: duckdb.DuckDBPyConnection) -> None:
    """Make the macros known to a connection, which reads times in UTC."""
    engine.execute((SQL / "load" / "values.sql").read_text(encoding="utf-8"))


def reason_column(name: str) -> str:
    return f"_wrong_{name}"


def typed_query(
    table: SourceTable, names: tuple[str, ...], schema: pa.Schema, options: LoadOptions, time_zone: str
) -> TypedQuery:
    """The query whose rows are the contract's columns, a reason a column, LINE, and BLANK where a row holds nothing.

    ``names`` are the file's columns in their order, ``schema`` their types as c0, c1, ...
    """
    place = {name: number for number, name in enumerate(names)}
    present = [column for column in table.columns if column.name in place]
    readers = {
        column.name: _Reader(column, schema.field(f"c{place[column.name]}").type, options, len(names))
        for column in present
    }
    trimmed = [f'load_trimmed({_raw(schema, place[name], readers[name])}) as "{name}"' for name in readers]
    kept = [
        f'{_raw(schema, place[name], reader)} as "{name}:raw"' for name, reader in readers.items() if reader.is_text
    ]
    blank = " and ".join(f"coalesce(trim(cast(c{number} as varchar)), '') = ''" for number in range(len(names)))
    read = [f'{reader.read} as "{name}:read"' for name, reader in readers.items()]
    last = [
        f'"{column.name}:read" as "{column.name}"' if column.name in readers else _null(column)
        for column in table.columns
    ]
    wrong = [f"{reader.wrong} as {reason_column(name)}" for name, reader in readers.items()]
    sql = (
        f"with texts as (select {', '.join([*trimmed, *kept])}, {LINE}, {blank} as {BLANK} from incoming), "
        f"reads as (select *, {', '.join(read)} from texts) "
        f"select {', '.join([*last, *wrong])}, {LINE}, {BLANK} from reads"
    )
    stated = {"decimal": options.decimal, "format": options.date_format, "zone": options.time_zone or time_zone}
    return TypedQuery(sql, {name: value for name, value in stated.items() if f"${name}" in sql})


def _raw(schema: pa.Schema, number: int, reader: "_Reader") -> str:
    """The value as text. A number that stands for an id has no point behind it."""
    if reader.is_text and pa.types.is_floating(schema.field(f"c{number}").type):
        is_whole = f"c{number} = trunc(c{number}) and abs(c{number}) < 1e15"
        return (
            f"case when {is_whole} then cast(cast(c{number} as bigint) as varchar) else cast(c{number} as varchar) end"
        )
    return f"cast(c{number} as varchar)"


def _null(column: Column) -> str:
    return f'cast(null as {column.sql_type}) as "{column.name}"'


class _Reader:
    """SQL that reads a column, over its trimmed text, and that says what is wrong with it."""

    def __init__(self, column: Column, arriving: pa.DataType, options: LoadOptions, width: int):
        value, read, kind = f'"{column.name}"', f'"{column.name}:read"', column.sql_type
        self.is_text = kind == "VARCHAR"
        if self.is_text:
            self.read = f'case when {value} is not null then "{column.name}:raw" end'
            wrong = f"load_text_wrong({value}, {column.name.endswith('_id')}, {width})"
        elif kind == "DATE":
            iso = f"load_iso_date({value})"
            self.read = f"coalesce({iso}, load_stated_date({value}, $format))" if options.date_format else iso
            wrong = f"load_day_wrong({read})"
        elif kind == "TIMESTAMPTZ":
            iso = f"load_iso_instant({value}, $zone)"
            stated = f"load_stated_instant({value}, $format, $zone)"
            self.read = f"coalesce({iso}, {stated})" if options.date_format else iso
            wrong = f"load_instant_wrong({value}, {read})"
        elif kind == "BOOLEAN":
            self.read, wrong = f"load_boolean({value})", f"case when {read} is null then 'unreadable' end"
        else:
            decimal = "null" if _is_number(arriving) else "$decimal"
            plain = f"load_plain({value}, {decimal})"
            places = int(kind.rstrip(")").split(",")[1]) if "," in kind else 0
            is_doubtful = places != 3 and options.decimal is None and not _is_number(arriving)
            self.read = (
                f"try_cast(regexp_replace({plain}, '[.]0*$', '') as {kind})"
                if places == 0
                else f"try_cast({plain} as {kind})"
            )
            wrong = f"load_number_wrong({plain}, {places}, {is_doubtful}, {read})"
        empty = "'empty'" if column.is_required else "null"
        self.wrong = f"case when {value} is null then {empty} else {wrong} end"


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_integer(kind)
