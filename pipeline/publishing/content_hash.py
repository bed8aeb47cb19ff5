"""A hash of a table's values that its chunks do not enter."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class ContentHash:
    """sha256 over rows that arrive in batches of any size, in a fixed order.

    Each column is hashed by itself: its values in binary, the lengths of its texts, and where it is null. So equal
    hashes mean equal names, types and values to the bit, but that 0.0 equals -0.0. Memory is one batch.
    """

    def __init__(self, schema: pa.Schema):
        self._schema = schema
        self._columns = [tuple(hashlib.sha256() for _ in range(3)) for _ in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        for column, (values, lengths, validity) in zip(batch.columns, self._columns, strict=True):
            validity.update(_bytes(pc.is_valid(column).to_numpy(zero_copy_only=False)))
            if pa.types.is_string(column.type) or pa.types.is_decimal(column.type):
                data, offsets = _text(pc.fill_null(column.cast(pa.string()), ""))
                values.update(data)
                lengths.update(_bytes(np.diff(offsets)))
            else:
                plain = pc.fill_null(column, pa.scalar(0, pa.int8()).cast(column.type)).to_numpy(zero_copy_only=False)
                values.update(_bytes(plain + 0.0 if pa.types.is_floating(column.type) else plain))

    def hexdigest(self, *names: str) -> str:
        """Of these columns; without names, of all."""
        described = [
            [field.name, str(field.type), *(part.hexdigest() for part in parts)]
            for field, parts in zip(self._schema, self._columns, strict=True)
            if not names or field.name in names
        ]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _text(column: pa.StringArray) -> tuple[memoryview, np.ndarray]:
    """The characters of all values one after another, and where each begins and the last one ends."""
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if data is None or len(bounds) == 0:
        return memoryview(b""), np.zeros(len(column) + 1, np.int32)
    return memoryview(data)[bounds[0] : bounds[-1]], bounds


def _bytes(values: np.ndarray) -> memoryview:
    return np.ascontiguousarray(values).data
