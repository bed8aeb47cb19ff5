"""The index queries and the same indices in plain pandas, written apart, give the same numbers."""

import shutil

import pytest

from benchmarks.steps import plain_pandas
from pipeline.customers.compute_indices import compute_indices
from pipeline.lake import Lake
from pipeline.sample import LAST
from pipeline.settings import Settings


@pytest.mark.parametrize("month", [LAST - 1, LAST], ids=str)
def test_both_ways_agree_on_every_customer(sample_lake, tmp_path, policy, month):
    settings = Settings(home=tmp_path, threads=2)
    shutil.copytree(sample_lake, settings.lake_path)
    measured = compute_indices(month, settings, policy)
    assert plain_pandas(month, settings, policy) == measured["customers"] > 700
    assert Lake(settings.lake_path).manifest("indices", rating_month=month, basis="as_known_then")["rows"] > 700
