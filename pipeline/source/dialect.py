"""How the files of ``gridgrade source load`` are written: as stated, or as their first line says; never guessed."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline import resources
from pipeline.errors import ConfigError, SourceContractError, first_fault
from pipeline.source.contract import SourceTable, contract

OPTIONS = "load.yaml"
_DELIMITERS = (",", ";", "\t", "|")
_QUOTES = ('"', "'")


class LoadOptions(BaseModel):
    """What can be stated of a file; None: not stated.

    ``date_format`` is made of %Y %y %m %d %b %B. ``time_zone`` is that of instants without an offset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    time_zone: str | None = None

    @field_validator("delimiter")
    @classmethod
    def _is_delimiter(cls, text: str | None) -> str | None:
        if text in ("tab", "\\t"):
            text = "\t"
        if text is not None and (len(text) != 1 or not text.isascii() or text.isalnum() or text in "\"'\r\n.-+_\0"):
            raise ValueError("a delimiter is one character, for example ; or | or tab")
        return text

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, name: str | None) -> str | None:
        try:
            if name is not None and not codecs.lookup(name)._is_text_encoding:
                raise LookupError
        except LookupError:
            raise ValueError(f"{name!r} is no known encoding, for example gb18030, cp1252 or utf-16") from None
        return name

    @field_validator("date_format")
    @classmethod
    def _is_date_format(cls, text: str | None) -> str | None:
        if text is None:
            return None
        has_all = re.search("%[Yy]", text) and re.search("%-?m|%[bB]", text) and re.search("%-?d", text)
        if not has_all or not re.fullmatch(r"(?:%-?[dm]|%[YybB]|[^%])*", text):
            raise ValueError(f"{text!r} is no date format, for example %d/%m/%Y, made of %Y %y %m %d %b %B")
        if re.match("%Y-%-?d", text):
            raise ValueError(f"{text!r} cannot be told from YYYY-MM-DD")
        return text

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, name: str | None) -> str | None:
        try:
            return name and str(ZoneInfo(name))
        except (KeyError, ValueError):
            raise ValueError(f"{name!r} is no time zone, for example Asia/Shanghai") from None

    def over(self, other: "LoadOptions") -> "LoadOptions":
        """These options, and where one is not stated, the other's."""
        mine = {name: value for name in LoadOptions.model_fields if (value := getattr(self, name)) is not None}
        return LoadOptions(**{name: getattr(other, name) for name in LoadOptions.model_fields} | mine)


class _OptionsFile(LoadOptions):
    """load.yaml: options of all files, and under ``tables`` those of one table's files."""

    tables: dict[str, LoadOptions] = Field(default_factory=dict)

    @field_validator("tables")
    @classmethod
    def _are_tables(cls, tables: dict[str, LoadOptions]) -> dict[str, LoadOptions]:
        if unknown := [name for name in tables if name not in contract()]:
            raise ValueError(f"{unknown[0]!r} is no source table")
        return tables


def stated_options(**options: str | None) -> LoadOptions:
    """Options of a command line; one that cannot be used is a ConfigError that names it."""
    try:
        return LoadOptions.model_validate(options)
    except ValidationError as error:
        where, what = first_fault(error)
        raise ConfigError(f"--{where.partition('.')[0].replace('_', '-')}: {what}") from None


def options_of(folder: Path, stated: LoadOptions) -> Callable[[str], LoadOptions]:
    """The options by table: what is ``stated`` comes before load.yaml's tables, and these before all else there.

    Errors: ConfigError where load.yaml cannot be used.
    """
    path = folder / OPTIONS
    if not path.exists():
        return lambda _: stated
    try:
        written = _OptionsFile.model_validate(resources.read_yaml(path) or {})
    except ValidationError as error:
        where, what = first_fault(error)
        raise ConfigError(f"{path}: {where}: {what}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
    return lambda table: stated.over(written.tables.get(table, LoadOptions())).over(written)


@dataclass(frozen=True)
class Header:
    """The first line of a file: how it is written, its columns, and where what comes after it begins."""

    delimiter: str
    quote: str
    names: tuple[str, ...]
    lines: int
    characters: int


def header_names(cells: Iterable[str]) -> tuple[str, ...]:
    """Column names as they are matched: without regard to case and to blanks around them."""
    return tuple(cell.strip().strip("\ufeff").casefold() for cell in cells)


def read_header(top: str, table: SourceTable, where: str, stated: str | None) -> Header:
    """The header in the ``top`` of a file: split as stated, or by the delimiter that gives most of the table's columns.

    A line ``sep=;`` before it states the delimiter. Errors: SourceContractError where there is no header, or where
    two delimiters would do.
    """
    columns = ", ".join(table.required_columns)
    lines = list(io.StringIO(top, newline=""))
    first = next((number for number, line in enumerate(lines) if line.strip("\ufeff \t\r\n")), None)
    if first is None:
        raise SourceContractError(f"{where} is empty: its first line has to name the columns, {columns}")
    if separator := re.fullmatch(r"\ufeff?sep=(.)[\r\n]*", lines[first]):
        stated, first = stated or separator[1], first + 1
    headers = [
        header
        for delimiter in ((stated,) if stated else _DELIMITERS)
        for quote in _QUOTES
        if (header := _split(lines, first, delimiter, quote))
    ]
    known = [len(set(table.column_names) & set(header.names)) for header in headers]
    line = lines[first].strip()[:80] if first < len(lines) else ""
    if not any(known):
        utf16 = "; it looks like UTF-16 without a mark: state --encoding utf-16-le" if "\0" in line else ""
        raise SourceContractError(
            f"{where}, line {first + 1}: {line!r} names no column of {table.name}; the first line has to be the "
            f"header, {columns}{utf16}"
        )
    best = [header for header, count in zip(headers, known, strict=True) if count == max(known)]
    if len({header.delimiter for header in best}) > 1:
        raise SourceContractError(
            f"{where}, line {first + 1}: {line!r} can be split in several ways: state --delimiter"
        )
    return best[0]


def _split(lines: list[str], first: int, delimiter: str, quote: str) -> Header | None:
    reader = csv.reader(lines[first:], delimiter=delimiter, quotechar=quote, strict=True)
    try:
        names = header_names(next(reader, ()))
    except csv.Error:
        return None
    end = first + reader.line_num
    return Header(delimiter, quote, names, end, sum(map(len, lines[:end])))
