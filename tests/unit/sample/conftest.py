"""A small utility, made once and looked at by many tests."""

from collections import defaultdict

import duckdb
import pyarrow as pa
import pytest

from pipeline.month import RatingMonth
from pipeline.sample import Utility

LAST = RatingMonth(2026, 10)


def engine_of(utility: Utility) -> duckdb.DuckDBPyConnection:
    """All rows of a utility as DuckDB tables."""
    tables = defaultdict(list)
    for name, batch in utility.batches():
        tables[name].append(batch)
    engine = duckdb.connect()
    engine.execute("set TimeZone = 'UTC'")
    for name, batches in tables.items():
        engine.register("rows", pa.Table.from_batches(batches))
        engine.execute(f"create table {name} as select * from rows")
    return engine


@pytest.fixture(scope="session")
def small() -> duckdb.DuckDBPyConnection:
    """6,000 customers over 24 months."""
    return engine_of(Utility(6_000, 24, LAST))


@pytest.fixture(scope="session")
def dirty() -> tuple[duckdb.DuckDBPyConnection, dict[tuple[str, str], list[tuple]]]:
    """2,000 customers over 12 months with a tenth of faulty rows, and the keys of these."""
    utility = Utility(2_000, 12, LAST, dirty=0.1)
    return engine_of(utility), utility.planted
