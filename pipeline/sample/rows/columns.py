"""Arrow columns out of numpy arrays without a Python object per value.

Ids have a fixed width, so a column of them is one matrix of bytes. Days are int32 since 1970-01-01, instants int64
microseconds since then in UTC, money and energy whole hundredths and thousandths.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

Bytes = np.ndarray  # uint8 of shape (rows, width)

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR


def digits(values: np.ndarray, width: int) -> Bytes:
    """The decimal digits of whole numbers, zero-padded."""
    if width == 1:
        return (values + ord("0")).astype(np.uint8)[:, None]
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def joined(rows: int, *parts: bytes | Bytes) -> Bytes:
    """Pieces side by side; a ``bytes`` piece is the same in every row."""
    pieces = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (rows, len(part))) if isinstance(part, bytes) else part
        for part in parts
    ]
    return np.concatenate(pieces, axis=1)


def text(matrix: Bytes, valid: np.ndarray | None = None) -> pa.Array:
    rows, width = matrix.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32) if rows else np.zeros(1, np.int32)
    data = np.ascontiguousarray(matrix)
    return pa.Array.from_buffers(pa.string(), rows, [_bitmap(valid), pa.py_buffer(offsets), pa.py_buffer(data)])


def choice(names: Sequence[str], index: np.ndarray) -> pa.Array:
    """``names[index]``; a negative index is null."""
    return pa.array(names, pa.string()).take(pa.array(index, pa.int32(), mask=index < 0))


def constant(value: str, rows: int) -> pa.Array:
    return choice((value,), np.zeros(rows, np.int32))


def decimal(units: np.ndarray, scale: int, valid: np.ndarray | None = None) -> pa.Array:
    """Whole units of 10**-scale as decimal(18, scale)."""
    words = np.empty((len(units), 2), np.int64)
    words[:, 0] = units
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(units), [_bitmap(valid), pa.py_buffer(words)])


def days(values: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    return _plain(pa.date32(), values.astype(np.int32), valid)


def instants(values: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    return _plain(pa.timestamp("us", "UTC"), values.astype(np.int64), valid)


def whole(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int32))


def flags(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(bool))


def nulls(rows: int, kind: pa.DataType | None = None) -> pa.Array:
    return pa.nulls(rows, kind or pa.string())


def _plain(kind: pa.DataType, values: np.ndarray, valid: np.ndarray | None) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [_bitmap(valid), pa.py_buffer(np.ascontiguousarray(values))])


def _bitmap(valid: np.ndarray | None) -> pa.Buffer | None:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
