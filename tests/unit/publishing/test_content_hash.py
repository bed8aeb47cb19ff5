"""The content hash sees every value and no chunk."""

from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.content_hash import ContentHash

SCHEMA = pa.schema(
    [
        *(("text", pa.string()), ("number", pa.float64()), ("count", pa.int32()), ("flag", pa.bool_())),
        ("money", pa.decimal128(18, 2)),
    ]
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.text(max_size=3),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-5, 5),
        st.none() | st.booleans(),
        st.none() | st.decimals(-9999, 9999, places=2),
    ),
    max_size=8,
)


def hashed(rows, cuts=()):
    table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 5, schema=SCHEMA)
    content = ContentHash(SCHEMA)
    bounds = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(bounds):
        for batch in table.slice(start, end - start).to_batches():
            content.update(batch)
    return content.hexdigest()


@given(rows=ROWS, data=st.data())
def test_batches_do_not_matter(rows, data):
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    assert hashed(rows, cuts) == hashed(rows)


@given(one=ROWS, other=ROWS)
def test_equal_hashes_mean_equal_rows(one, other):
    assert (hashed(one) == hashed(other)) == (one == other)


CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            [("ab", 1.0, 1, True, CENT), ("c", 1.0, 1, True, CENT)],
            [("a", 1.0, 1, True, CENT), ("bc", 1.0, 1, True, CENT)],
        ),
        ([("", 1.0, 1, True, CENT)], [(None, 1.0, 1, True, CENT)]),
        ([("a", 0.0, 0, False, CENT)], [("a", None, 0, False, CENT)]),
        ([("a", 0.0, 0, False, CENT)], [("a", 0.0, 0, None, CENT)]),
        ([("a", 0.1 + 0.2, 0, False, CENT)], [("a", 0.3, 0, False, CENT)]),
        ([("a", 0.0, 0, False, 0 * CENT)], [("a", 0.0, 0, False, None)]),
        ([("a", 0.0, 0, False, 0 * CENT)], [("a", 0.0, 0, False, CENT)]),
    ],
)
def test_close_is_not_equal(one, other):
    assert hashed(one) != hashed(other)
