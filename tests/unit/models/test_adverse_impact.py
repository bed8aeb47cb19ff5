"""The adverse-impact screen, by columns of the snapshot and by a file of the office's own."""

from datetime import date

import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.lake import Lake
from pipeline.models.adverse_impact import screen
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from tests.support.records.labelled import changed
from tests.support.records.lake import fill_lake, tables

OCTOBER = RatingMonth(2026, 10)
IDS = pd.Series([f"C{number:03}" for number in range(200)])
FAVOURABLE = [number % 2 == 0 or number >= 150 for number in range(200)]


@pytest.fixture
def settings(tmp_path):
    """200 customers, the first 100 protected ones."""
    settings = Settings(home=tmp_path / "home", threads=2)
    known = {"segment": "residential", "region": "north", "connected_on": date(2020, 1, 1)}
    recorded = {"recorded_at": (OCTOBER - 1).cutoff("UTC")}
    customers = [
        {"customer_id": name, "is_protected": number < 100, **known, **recorded} for number, name in enumerate(IDS)
    ]
    fill_lake(Lake(settings.lake_path), tables(customers=customers), OCTOBER)
    return settings


def screened(settings, policy, **fairness):
    return screen(OCTOBER, settings, changed(policy, "fairness", **fairness), IDS, FAVOURABLE)


def test_without_groups_nothing_is_screened(settings, policy):
    assert screened(settings, policy) == {}


def test_shares_by_a_column_of_the_snapshot(settings, policy):
    [protected, others] = sorted(
        screened(settings, policy, columns=["is_protected"])["is_protected"], key=lambda row: row["rate"]
    )
    assert (protected["group"], protected["customers"], protected["selected"]) == ("true", 100, 50)
    assert (others["group"], others["customers"], others["selected"]) == ("false", 100, 75)
    assert others["is_reference"]
    assert protected["ratio"] == pytest.approx(2 / 3)
    assert protected["is_adverse"]
    lenient = screened(settings, policy, columns=["is_protected"], min_ratio=0.6)["is_protected"]
    assert not any(row["is_adverse"] for row in lenient)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_groups_of_a_file_are_read_for_this_alone(settings, policy, tmp_path, kind):
    path = tmp_path / f"groups.{kind}"
    groups = pd.DataFrame({"customer_id": IDS[:150], "age": ["young"] * 100 + ["old"] * 50, "sex": ["f", "m"] * 75})
    groups.to_csv(path, index=False) if kind == "csv" else groups.to_parquet(path)
    found = screened(settings, policy, groups_file=str(path))
    assert set(found) == {"age", "sex"}
    assert {row["group"]: row["customers"] for row in found["age"]} == {"old": 50, "unknown": 50, "young": 100}
    assert {row["group"]: row["selected"] for row in found["sex"]} == {"f": 75, "m": 0, "unknown": 50}


def test_a_column_or_a_file_that_is_not_there_is_one_line(settings, policy, tmp_path):
    with pytest.raises(ConfigError, match=r"policy fairness.columns: customers has no column moon"):
        screened(settings, policy, columns=["moon"])
    with pytest.raises(ConfigError, match=r"policy fairness.groups_file .*none.csv cannot be read"):
        screened(settings, policy, groups_file=str(tmp_path / "none.csv"))
    (tmp_path / "ids.csv").write_text("customer_id\nC000\n")
    with pytest.raises(ConfigError, match="customer_id and at least one column of groups are needed"):
        screened(settings, policy, groups_file=str(tmp_path / "ids.csv"))
    (tmp_path / "twice.csv").write_text("customer_id,age\nC000,old\nC000,young\n")
    with pytest.raises(ConfigError, match="a customer_id stands there twice"):
        screened(settings, policy, groups_file=str(tmp_path / "twice.csv"))
