"""Small sources: a folder of files, and databases of both kinds to load them into."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipeline.database import connect
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema


@pytest.fixture
def rows() -> dict[str, dict]:
    """A row of each required table, with its required columns only."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    return {
        "customers": {
            "customer_id": "007",
            "segment": "residential",
            "region": "north",
            "connected_on": date(2020, 1, 1),
            "recorded_at": noon,
        },
        "bills": {
            "bill_id": "B1",
            "customer_id": "007",
            "billing_month": date(2026, 3, 1),
            "issued_on": date(2026, 3, 2),
            "due_on": date(2026, 3, 20),
            "amount": 12.34,
            "is_estimated": False,
            "recorded_at": noon,
        },
        "payments": {
            "payment_id": "P1",
            "customer_id": "007",
            "paid_on": date(2026, 3, 2),
            "amount": 12.34,
            "recorded_at": noon,
        },
    }


@pytest.fixture
def folder(tmp_path, rows) -> Path:
    """The three required tables as Parquet, one row each."""
    path = tmp_path / "a folder of files"
    path.mkdir()
    for name, row in rows.items():
        pq.write_table(pa.Table.from_pylist([row]), path / f"{name}.parquet")
    return path


@pytest.fixture
def write(folder) -> Callable[..., None]:
    """``write("bills", row, ...)`` puts a Parquet file into the folder, in the place of an earlier one."""
    return lambda name, *rows: pq.write_table(pa.Table.from_pylist(list(rows)), folder / f"{name}.parquet")


@pytest.fixture
def batch() -> Callable[..., tuple[str, pa.RecordBatch]]:
    """``batch("bills", row, ...)``: rows in contract types as a writer takes them; a column not given is null."""
    return lambda name, *rows: (name, pa.RecordBatch.from_pylist(list(rows), schema=arrow_schema(name)))


@pytest.fixture
def sqlite(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home", source_url=f"sqlite:///{tmp_path / 'source.db'}")


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request) -> Settings:
    """Settings of an empty source of either kind."""
    return request.getfixturevalue("settings" if request.param == "postgresql" else "sqlite")


@pytest.fixture
def read() -> Callable[[Settings, str], list[tuple]]:
    """``read(settings, query)``: what the source holds."""

    def run(settings: Settings, query: str) -> list[tuple]:
        with connect(settings.source_owner).connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    return run


@pytest.fixture
def tables() -> Callable[[Settings], set[str]]:
    """``tables(settings)``: the names of the tables that the source holds."""
    return lambda settings: set(sa.inspect(connect(settings.source_owner)).get_table_names())
