"""Rows of a database as Arrow batches, and what is done to their text on the way."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

_BLANKS = " \t\n\r\u00a0\u3000\u200b\ufeff"
_NO_DATE = re.compile(r"0000-00-00( 00:00:00(\.0+)?)?")  # MySQL's, which its drivers hand over as text


def watched(schema: pa.Schema, batches: Iterable[pa.RecordBatch], failure: list[Exception]) -> pa.RecordBatchReader:
    """The same batches; keeps the error that ends them, which DuckDB would replace by one of its own."""

    def watch() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as error:
            failure.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, watch())


def as_batches(result: sa.CursorResult, schema: pa.Schema, bits: frozenset[int]) -> Iterator[pa.RecordBatch]:
    """Every value as text, as DuckDB reads it: a column may well hold several types. ``bits``: MySQL's BIT columns."""
    for rows in result.partitions():
        arrays = [
            pa.array([_as_text(_number(value) if at in bits else value) for value in column], pa.string())
            for at, column in enumerate(zip(*rows, strict=True))
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _number(bits: bytes | None) -> int | None:
    return None if bits is None else int.from_bytes(bits, "big")


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return None if _NO_DATE.fullmatch(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def trimmed(batches: pa.RecordBatchReader, names: Iterable[str]) -> tuple[pa.RecordBatchReader, dict[str, int]]:
    """The same batches without blanks around the text of these columns, null where nothing is left.

    Also how many texts that changed, by column; complete once the batches are read.
    """
    schema = batches.schema
    texts = [name for name in names if name in schema.names and pa.types.is_string(schema.field(name).type)]
    counts: dict[str, int] = {}

    def trim(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = dict(zip(schema.names, batch.columns, strict=True))
        for name in texts:
            text = pc.utf8_trim(columns[name], _BLANKS)
            changed = pc.sum(pc.not_equal(text, columns[name])).as_py()
            blank = pc.equal(text, "")
            if changed or pc.any(blank).as_py():
                counts[name] = counts.get(name, 0) + (changed or 0)
                columns[name] = pc.if_else(blank, pa.scalar(None, text.type), text)
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, map(trim, batches)), counts
