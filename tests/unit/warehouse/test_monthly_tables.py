"""The declared columns of the monthly tables are those that the migrations create."""

import pyarrow as pa
import pytest

from pipeline.warehouse.monthly_tables import TABLES

COLUMNS = """
select column_name, data_type, numeric_precision, numeric_scale
from information_schema.columns
where table_schema = 'rating' and table_name = %s
"""
KINDS = {
    "text": pa.string(),
    "json": pa.string(),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_they_have_the_columns_and_types_of_the_warehouse(sql, policy, table):
    created = {
        # PostgreSQL's numeric without a precision holds any decimal: 38 digits are DuckDB's most.
        name: pa.decimal128(precision or 38, scale if precision else 2) if kind == "numeric" else KINDS.get(kind)
        for name, kind, precision, scale in sql(COLUMNS, table.name)
    }
    of_publishing = {"rating_month", "publication_id"} | ({"missing_indices"} if table.has_indices else set())
    assert of_publishing < set(created)
    held = {name: kind for name, kind in created.items() if name not in of_publishing}
    assert held == table.columns([name for name in policy.indices if table.has_indices and name in held])
