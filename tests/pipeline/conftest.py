"""A sample utility, made once, and the lake that a rating of its last months reads."""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from lake_records import Tables, fill_lake

from pipeline.lake import Lake
from pipeline.sample import LAST, generate

CUSTOMERS, MONTHS = 900, 28
SNAPSHOTS = (LAST - 2, LAST - 1, LAST)
READ = ("customers", "bills", "payments", "arrears", "collection_events")


@pytest.fixture(scope="session")
def sample() -> Tables:
    """The rows of 900 customers over 28 months in the tables that the indices and the label read."""
    batches = defaultdict(list)
    for name, batch in generate(CUSTOMERS, MONTHS):
        if name in READ:
            batches[name].append(batch)
    return {name: pa.Table.from_batches(parts) for name, parts in batches.items()}


@pytest.fixture(scope="session")
def sample_lake(sample, tmp_path_factory) -> Path:
    """A lake of all the sample's facts, with the customers of its last three months. Not to be written to."""
    lake = Lake(tmp_path_factory.mktemp("sample") / "lake")
    fill_lake(lake, sample, *SNAPSHOTS)
    return lake.root
