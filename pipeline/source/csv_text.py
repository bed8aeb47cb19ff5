"""A CSV file as tables of text, every line with its number: strictly, so that no line is dropped or joined.

Two readers that agree: Arrow's for blocks whose quoting is beyond doubt, and Python's strict one from the first other
block on, which also finds the line of what cannot be read.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from pipeline.errors import SourceContractError
from pipeline.source.contract import SourceTable
from pipeline.source.dialect import Header, LoadOptions, read_header

LINE = "_line"
_BLOCK = 1 << 22
_LONGEST_ROW = 1 << 24
_ROWS = 50_000
_NEWLINE, _RETURN = ord("\n"), ord("\r")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass
class TextFile:
    """An open file: ``names`` are its columns, ``tables`` its rows in columns c0, c1, ... and LINE.

    ``blank_lines`` counts what holds nothing; it is complete when the tables are read.
    """

    names: tuple[str, ...]
    written: str
    tables: Iterator[pa.Table]
    blank_lines: int = 0
    row_word: str = "line"


def open_csv(path: Path, table: SourceTable, options: LoadOptions, where: str) -> TextFile:
    """The file as its options or its first line say. Errors, also on the way: SourceContractError, with the line."""
    encoding = _encoding(path, options.encoding, where)
    texts = _decoded(path, encoding, where)
    top = "".join(islice(texts, 1)).removeprefix("\ufeff")
    header = read_header(top, table, where, options.delimiter)
    delimiter = {"\t": "tab"}.get(header.delimiter, header.delimiter)
    opened = TextFile(header.names, f"{encoding}, delimiter {delimiter}", iter(()))
    opened.tables = _Rows(opened, header, where).read(chain([top[header.characters :]], texts))
    return opened


def _encoding(path: Path, stated: str | None, where: str) -> str:
    """What the file's mark says, or what is stated, or UTF-8."""
    try:
        with _binary(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceContractError(f"{where} cannot be read: {error}") from None
    return next((name for mark, name in _MARKS if start.startswith(mark)), stated or "utf-8")


def _binary(path: Path) -> io.BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _decoded(path: Path, encoding: str, where: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    try:
        with _binary(path) as file:
            while chunk := file.read(_BLOCK):
                text = decoder.decode(chunk)
                yield text
                lines += text.count("\n")
            yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        lines += error.object[: error.start].decode(encoding, errors="replace").count("\n")
        found = bytes(error.object[error.start : error.start + 4]).hex(" ")
        raise SourceContractError(
            f"{where}, line {lines}: the bytes {found} are not {encoding}: state the file's encoding, for example "
            "--encoding gb18030 or --encoding cp1252"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise SourceContractError(f"{where} cannot be read to its end: {error}: export it again") from None


class _Rows:
    """The rows behind a header; ``line`` is the number of the line that comes next."""

    def __init__(self, file: TextFile, header: Header, where: str):
        self.file, self.header, self.where = file, header, where
        self.line = header.lines + 1
        self.columns = [f"c{number}" for number in range(len(header.names))]

    def read(self, texts: Iterator[str]) -> Iterator[pa.Table]:
        pending, pieces = "", _with_last(texts)
        for text, is_last in pieces:
            pending += text
            block = pending.encode()
            cut = self._cut(block, is_last)
            if cut == 0 and len(pending) < _LONGEST_ROW and not is_last:
                continue
            rows = self._by_arrow(block[:cut]) if cut else None
            if rows is None and (pending or not is_last):
                yield from self._strictly(chain([pending], (text for text, _ in pieces)))
                return
            pending = block[cut:].decode()
            if rows is not None:
                yield rows
        if pending:
            yield from self._strictly(iter([pending]))

    # -- Arrow --------------------------------------------------------------------------------------------------

    def _cut(self, block: bytes, is_last: bool) -> int:
        """Where the last whole row of the block ends, if its quoting is sound."""
        if is_last:
            return len(block)
        found = np.frombuffer(block, np.uint8)
        newlines = np.flatnonzero(found == _NEWLINE)
        outside = newlines[self._is_outside(found, newlines)]
        return int(outside[-1]) + 1 if outside.size else 0

    def _is_outside(self, found: np.ndarray, places: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.flatnonzero(found == ord(self.header.quote)), places) % 2 == 0

    def _by_arrow(self, block: bytes) -> pa.Table | None:
        """The rows of a block that ends with a row; None unless its quoting and its width are beyond doubt."""
        found = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
        if not self._is_sound(found):
            return None
        newlines = np.flatnonzero(found == _NEWLINE)
        ends = newlines[self._is_outside(found, newlines)]
        starts = np.concatenate([[0], ends[:-1] + 1])
        is_blank = (ends == starts) | ((ends == starts + 1) & (found[starts] == _RETURN))
        lines = self.line + np.searchsorted(newlines, starts[~is_blank])
        try:
            rows = arrow_csv.read_csv(
                pa.BufferReader(found.tobytes()),
                arrow_csv.ReadOptions(column_names=self.columns, block_size=len(found) + 1),
                arrow_csv.ParseOptions(
                    delimiter=self.header.delimiter, quote_char=self.header.quote, newlines_in_values=True
                ),
                arrow_csv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.string())),
            )
        except pa.ArrowInvalid:
            return None
        if rows.num_rows != len(lines):
            return None
        self.line += len(newlines)
        self.file.blank_lines += int(is_blank.sum())
        return rows.append_column(LINE, pa.array(lines, pa.int64()))

    def _is_sound(self, found: np.ndarray) -> bool:
        """Whether each quote opens behind a delimiter, closes before one, or is doubled, and lines end with \\n."""
        returns = np.flatnonzero(found == _RETURN)
        if not (found[returns + 1] == _NEWLINE).all():
            return False
        quotes = np.flatnonzero(found == ord(self.header.quote))
        opening, closing = quotes[0::2], quotes[1::2]
        if len(opening) != len(closing):
            return False
        beside = (ord(self.header.delimiter), _NEWLINE, ord(self.header.quote))
        before = found[opening[opening > 0] - 1]
        return bool(np.isin(before, beside).all() and np.isin(found[closing + 1], (*beside, _RETURN)).all())

    # -- Python -------------------------------------------------------------------------------------------------

    def _strictly(self, texts: Iterable[str]) -> Iterator[pa.Table]:
        reader = csv.reader(_lines(texts), delimiter=self.header.delimiter, quotechar=self.header.quote, strict=True)
        width, before, is_more = len(self.columns), self.line - 1, True
        while is_more:
            rows, lines, is_more, refusal = [], [], False, None
            begin = before + reader.line_num + 1
            try:
                for row in islice(reader, _ROWS):
                    is_more = True
                    if len(row) == width:
                        rows.append(row)
                        lines.append(begin)
                    elif any(map(str.strip, row)):
                        refusal = self._other_width(row, begin)
                        break
                    else:
                        self.file.blank_lines += 1
                    begin = before + reader.line_num + 1
            except csv.Error as error:
                refusal = (
                    f"{self.where}, line {begin}: {error}: a value that holds a delimiter, a quote or a line end has "
                    f"to stand in quotes ({self.header.quote}), and a quote in it is doubled"
                )
            if rows:  # also before a refusal: an earlier line may be wrong in its own way
                columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
                yield pa.table([*columns, pa.array(lines, pa.int64())], [*self.columns, LINE])
            if refusal:
                raise SourceContractError(refusal)

    def _other_width(self, row: list[str], line: int) -> str:
        shown = self.header.delimiter.join(row)[:80]
        return (
            f"{self.where}, line {line}: {len(row)} values where the header has {len(self.header.names)} columns: "
            f"{shown!r}: correct or remove the line; a second export goes into a file of its own"
        )


def _with_last(texts: Iterator[str]) -> Iterator[tuple[str, bool]]:
    """Each text, and whether nothing comes after it."""
    before = next(texts, "")
    for text in texts:
        yield before, False
        before = text
    yield before, True


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, which may be \\n, \\r or \\r\\n. csv.Error where one has no end in sight."""
    rest = ""
    for text in texts:
        lines = list(io.StringIO(rest + text, newline=""))
        rest = lines.pop() if lines else ""
        yield from lines
        if len(rest) > _LONGEST_ROW:
            raise csv.Error(f"it is longer than {_LONGEST_ROW:,} characters")
    yield from io.StringIO(rest, newline="")
