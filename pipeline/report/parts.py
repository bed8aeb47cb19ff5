"""What a section of the report is made of, and how its figures are written."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from pipeline import resources
from pipeline.report.figures import Row

NOTHING = "–"
_MINUS = "\N{MINUS SIGN}"
_FORMATS = {
    # kind: (decimals, factor, sign always shown, unit)
    "count": (0, 1, False, ""),
    "count_change": (0, 1, True, ""),
    "money": (0, 1, False, ""),
    "money_change": (0, 1, True, ""),
    "number": (2, 1, False, ""),
    "value": (3, 1, False, ""),
    "value_change": (3, 1, True, ""),
    "score": (1, 1, False, ""),
    "percent": (1, 100, False, "%"),
    "percent_change": (1, 100, True, " pp"),
    "relative": (1, 100, True, "%"),
    "rate": (2, 100, False, "%"),
    "rate_change": (2, 100, True, " pp"),
}


def written(value: Any, kind: str) -> str:
    """A value as the page shows it: ``kind`` is a number's format, ``month`` or ``text``."""
    if value is None:
        return NOTHING
    if kind == "month":
        return f"{value:%Y-%m}" if isinstance(value, date) else str(value)
    if kind == "text":
        return str(value)
    decimals, factor, is_signed, unit = _FORMATS[kind]
    number = round(Decimal(str(value)) * factor, decimals)
    sign = _MINUS if number < 0 else "+" if is_signed and number > 0 else ""
    return f"{sign}{abs(number):,}{unit}"


@dataclass(frozen=True)
class Figure:
    """A value of a view's row on the page: the element says which view, row and column it is."""

    row: Row
    column: str
    kind: str

    @property
    def is_number(self) -> bool:
        return self.kind in _FORMATS

    def __html__(self) -> Markup:
        value = self.row[self.column]
        key = urlencode({name: part for name, part in self.row.key.items() if part is not None})
        return Markup('<data value="{}" data-view="{}" data-row="{}" data-column="{}">{}</data>').format(
            "" if value is None else str(value), self.row.view, key, self.column, written(value, self.kind)
        )


@dataclass(frozen=True)
class Table:
    """``heads``: (text, whether numbers stand under it). The first ``named`` cells of a row say what it is."""

    caption: str
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Any]]
    named: int = 1


@dataclass(frozen=True)
class Picture:
    """A chart with its caption and the table of its figures."""

    svg: str
    caption: str
    table: Table | None = None

    @property
    def is_full(self) -> bool:
        """Whether it needs the width of the page to be read."""
        found = re.search(r'width="([\d.]+)"', self.svg)
        return found is not None and float(found[1]) > 480


@dataclass(frozen=True)
class Section:
    """``pictures`` are beside each other, then come ``tables``; ``notes`` say in words what is not there yet, say."""

    name: str
    title: str
    lead: str
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


class Words:
    """The texts of a language. What a value of the records has no word for is shown as it is."""

    def __init__(self, texts: Mapping[str, Any], language: str):
        self._texts, self.language = texts, language

    def __call__(self, name: str, **filled: str) -> str:
        found: Any = self._texts
        for part in name.split("."):
            found = found[part]
        return found.format(**filled) if filled else found

    def value(self, text: Any) -> str:
        return NOTHING if text is None else self._texts["values"].get(str(text), str(text))

    def column(self, name: str) -> str:
        return self._texts["columns"][name]

    def table(self, caption: str, rows: Iterable[Row], columns: Mapping[str, str], named: int = 1) -> Table:
        """``columns``: kind by column; ``word`` is a value that has a word, others as ``written``."""
        heads = [(self.column(name), kind in _FORMATS) for name, kind in columns.items()]
        cells = [
            [
                self.value(row[name])
                if kind == "word"
                else Figure(row, name, kind)
                if kind in _FORMATS
                else written(row[name], kind)
                for name, kind in columns.items()
            ]
            for row in rows
        ]
        return Table(caption, heads, cells, named)


def words_in(language: str) -> Words:
    """The words of a language of ``texts.yaml``."""
    return Words(_texts()[language], language)


@cache
def _texts() -> dict[str, Any]:
    return resources.read_yaml(Path(__file__).with_name("texts.yaml"))
