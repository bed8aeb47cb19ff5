"""A sample utility, made once: its rows, a lake of them, and two months of it rated."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from lake_records import Tables, fill_lake

from pipeline.cli import rate_month
from pipeline.lake import Lake
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables

CUSTOMERS, MONTHS = 900, 28
SNAPSHOTS = (LAST - 2, LAST - 1, LAST)
TABLES = ("customers", "bills", "payments", "arrears", "collection_events", "billing_closes")


@pytest.fixture(scope="session")
def sample() -> Tables:
    """The rows of 900 customers over 28 months, in the tables that the default policy's indices and label read."""
    batches = defaultdict(list)
    for name, batch in generate(CUSTOMERS, MONTHS):
        if name in TABLES:
            batches[name].append(batch)
    return {name: pa.Table.from_batches(parts) for name, parts in batches.items()}


@pytest.fixture(scope="session")
def sample_lake(sample, tmp_path_factory) -> Path:
    """A lake of the sample's facts, with the customers of the last three months. Not to be written to."""
    lake = Lake(tmp_path_factory.mktemp("sample") / "lake")
    fill_lake(lake, sample, *SNAPSHOTS)
    return lake.root


@pytest.fixture(scope="session")
def rated(sample, databases, policy, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """``settings`` of the sample with its last two months rated, the ``outcomes`` by month, and the sample's ``size``.

    Not to be changed.
    """
    with databases(tmp_path_factory.mktemp("rated")) as settings:
        replace_tables(settings.source, ((name, b) for name, rows in sample.items() for b in rows.to_batches()))
        outcomes = {month: rate_month(month, settings, policy) for month in (LAST - 1, LAST)}
        yield SimpleNamespace(settings=settings, outcomes=outcomes, size=(CUSTOMERS, MONTHS))
