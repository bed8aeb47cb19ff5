"""Grouping: who is in which group and stage, and that a month leaves in their groups those who did not change."""

import json
import shutil
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from pipeline.customers.compute_indices import compute_indices
from pipeline.customers.group import ASPECTS, group
from pipeline.customers.parameters import group_parameters
from pipeline.engine import open_engine, queries
from pipeline.engine.duckdb import DuckDBEngine
from pipeline.errors import LakeError, ModelError
from pipeline.grading.grade import grade
from pipeline.grading.sensitivity import sensitivity
from pipeline.lake import Lake, known_records
from pipeline.policy import Policy
from pipeline.publishing.publish import publish
from pipeline.sample import LAST
from pipeline.source import contract
from pipeline.warehouse.connection import transaction
from tests.support.records.billing import OCTOBER, bill, customer, instant
from tests.support.records.indices import BASIS, MODELS, expert, register, write_indices
from tests.support.records.indices import customer as rated
from tests.support.records.lake import fill_lake, reseal, tables

EARLIER = LAST - 1
DEMAND = ("outages", "outage_minutes", "voltage_complaints", "contacts")


def linked(lake: Path, root: Path, *without: str) -> Path:
    """A lake with the facts of another, less some tables, and derived tables of its own."""
    for folder in (lake, lake / "quarantine"):
        (root / folder.relative_to(lake)).mkdir(parents=True)
        for table in folder.iterdir():
            if table.name in contract() and table.name not in without:
                (root / table.relative_to(lake)).symlink_to(table)
    return root


def left(settings, table, month=LAST) -> pd.DataFrame:
    """What the step left for a month, by customer or by aspect and group."""
    files = Lake(settings.lake_path).files(table, rating_month=month, **BASIS)
    frame = pa.concat_tables(pq.read_table(file) for file in files).to_pandas()
    return frame.set_index("customer_id" if table == "groups" else ["aspect", "group_name"])


def members(settings, policy, month) -> pd.DataFrame:
    """What the customers of a month were grouped by."""
    lake = Lake(settings.lake_path)
    with open_engine(settings) as engine:
        known_records.KnownRecords(lake, policy, month).bind(engine)
        engine.bind_files("indices", lake.files("indices", rating_month=month, **BASIS))
        query = queries.compose(
            "select m.*, i.* exclude (customer_id, segment) from group_features as m "
            "left join indices as i on i.customer_id = m.customer_id"
        )
        frame = engine.fetch(query, group_parameters(policy, month)).to_pandas()
    return frame.assign(revenue=frame["revenue"].astype(float)).set_index("customer_id").sort_index()


@pytest.fixture(scope="module")
def sample_settings(databases, sample_lake, policy, tmp_path_factory):
    """The sample utility's last two months grouped, the first of them published."""
    home = tmp_path_factory.mktemp("grouped")
    with databases(home / "home") as own:
        settings = own.model_copy(update={"lake": linked(sample_lake, home / "lake")})
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy))
        for month in (EARLIER, LAST):
            compute_indices(month, settings, policy)
            group(month, settings, policy)
            if month == EARLIER:
                grade(month, settings, policy, **BASIS, models=MODELS)
                sensitivity(month, settings, policy, **BASIS, models=MODELS)
                publish(month, settings, policy, **BASIS, run_id="test", run_kind="command")
        yield settings


def test_customers_who_did_not_change_keep_their_groups(sample_settings, policy):
    then, now = (members(sample_settings, policy, month) for month in (EARLIER, LAST))
    both = then.index.intersection(now.index[~now["is_closed"]])
    then, now = then.loc[both], now.loc[both]
    behaviour = [*policy.group_features["behaviour"]]
    stayed = {
        "value": (now["revenue"] / then["revenue"] - 1).abs().lt(0.02)
        & (now["avg_monthly_kwh"] - then["avg_monthly_kwh"]).abs().lt(0.02),
        "demand": (now[[*DEMAND]] == then[[*DEMAND]]).all(axis=1),
        "behaviour": (now[behaviour].fillna(-1) == then[behaviour].fillna(-1)).all(axis=1),
    }
    groups_then, groups_now = (left(sample_settings, "groups", month).loc[both] for month in (EARLIER, LAST))
    for aspect, who in stayed.items():
        kept = (groups_then[f"{aspect}_group"] == groups_now[f"{aspect}_group"])[who]
        assert len(kept) > 100
        assert kept.mean() >= 0.95
    kept = (groups_then["group_name"] == groups_now["group_name"])[np.logical_and.reduce([*stayed.values()])]
    assert len(kept) > 50
    assert kept.mean() >= 0.95


def exchange_centroids(settings, called: dict[str, str]) -> None:
    """In what is published, give the centroid of each group of value to the group it is called as from now on.

    As if it had been published so: no hash of the rows is kept.
    """
    exchange = text(
        "update rating.group_profiles as p set centroid = q.centroid from rating.group_profiles as q "
        "where p.aspect = 'value' and q.aspect = 'value' and p.group_name = cast(:called as json) ->> q.group_name"
    )
    with transaction(settings) as connection:
        connection.execute(exchange, {"called": json.dumps(called)})
        connection.execute(text("update ops.publications set table_hashes = null"))


def test_a_group_is_called_as_it_was_in_the_month_published_before(sample_settings, policy):
    names = [*policy.groups.value]
    called = dict(zip(names, names[1:] + names[:1], strict=True))
    before = left(sample_settings, "groups")["value_group"].dropna()
    exchange_centroids(sample_settings, called)
    group(LAST, sample_settings, policy)
    after = left(sample_settings, "groups")["value_group"].dropna()
    exchange_centroids(sample_settings, {new: old for old, new in called.items()})
    group(LAST, sample_settings, policy)
    assert after.to_dict() == before.map(called).to_dict()
    pd.testing.assert_series_equal(left(sample_settings, "groups")["value_group"].dropna(), before)


def test_everybody_rated_is_in_one_group_of_each_aspect_and_the_gone_are_closed(sample_settings, policy):
    groups, measured = left(sample_settings, "groups"), members(sample_settings, policy, LAST)
    assert list(groups.index) == list(measured.index)
    gone = groups[measured["is_closed"]]
    assert 0 < len(gone) < 20
    assert set(gone["life_cycle_stage"]) == set(gone["group_name"]) == {"closed"}
    assert gone[[f"{aspect}_group" for aspect in ASPECTS]].isna().all(axis=None)
    rated = groups[~measured["is_closed"]]
    assert "closed" not in set(rated["life_cycle_stage"])
    for aspect in ASPECTS:
        assert set(rated[f"{aspect}_group"]) == set(getattr(policy.groups, aspect))
    assert (rated["group_name"] == rated[[f"{aspect}_group" for aspect in ASPECTS]].agg(", ".join, axis=1)).all()


def test_the_names_are_true(sample_settings, policy):
    means = members(sample_settings, policy, LAST).join(
        left(sample_settings, "groups")[[f"{a}_group" for a in ASPECTS]]
    )
    value = means.groupby("value_group")["revenue"].mean()
    assert value["high value"] > 2 * value["medium value"] > 4 * value["low value"]
    demand = means.groupby("demand_group")[[*DEMAND]].mean()
    assert demand["outage_minutes"].idxmax() == "often without power"
    assert demand["contacts"].idxmax() == "often in touch"
    behaviour = means.groupby("behaviour_group")[["on_time_payment_rate", "arrears_ratio"]].mean()
    assert behaviour["on_time_payment_rate"].idxmax() == "pays on time"
    assert behaviour["arrears_ratio"].idxmax() == "in arrears"


def test_profiles_are_those_of_the_customers(sample_settings, policy):
    profiles, groups = left(sample_settings, "group_profiles"), left(sample_settings, "groups")
    measured = members(sample_settings, policy, LAST)
    for (aspect, name), profile in profiles.iterrows():
        who = groups.index[groups[f"{aspect}_group"] == name]
        assert profile["customers"] == len(who)
        assert profile["revenue"] == groups.loc[who, "revenue"].sum()
        means = measured.loc[who, [*policy.group_features[aspect]]].mean().to_dict()
        assert json.loads(profile["means"]) == pytest.approx(means, abs=1e-8)
    rich = profiles.loc[("value", "high value")]
    share = rich["customers"] / profiles.loc["value", "customers"].sum()
    revenue = float(rich["revenue"] / profiles.loc["value", "revenue"].sum())
    assert rich["profile"].startswith(f"{share:.0%} of customers, {revenue:.0%} of revenue; above the mean: ")


def test_the_step_counts_what_it_left(sample_settings, policy):
    seen = group(LAST, sample_settings, policy)
    groups = left(sample_settings, "groups")
    assert seen["life_cycle"] == Counter(groups["life_cycle_stage"])
    for aspect in ASPECTS:
        assert seen["groups"][aspect] == Counter(groups[f"{aspect}_group"].dropna())
    assert seen["without"] == []
    assert json.loads(json.dumps(seen)) == seen


def test_rows_in_any_order_in_any_ranges_on_any_threads_give_the_same_bits(
    sample_settings, policy, tmp_path, monkeypatch
):
    rng = np.random.default_rng(4)
    shuffled = tmp_path / "lake"
    shutil.copytree(sample_settings.lake_path, shuffled)
    for path in shuffled.rglob("*.parquet"):
        rows = pq.read_table(path)
        pq.write_table(rows.take(rng.permutation(len(rows))), path)
    lake = Lake(shuffled)
    for folder in lake.partitions():
        reseal(lake, folder)
    monkeypatch.setattr(DuckDBEngine, "customers_at_once", 97)
    other = sample_settings.model_copy(update={"lake": shuffled, "threads": 1})
    group(LAST, other, policy)
    for table in ("groups", "group_profiles"):
        pd.testing.assert_frame_equal(left(other, table), left(sample_settings, table), check_exact=True)


def test_a_sample_of_customers_is_enough_and_is_the_same_one_next_time(sample_settings, policy, monkeypatch):
    whole = left(sample_settings, "groups")
    small = policy.model_copy(update={"groups": policy.groups.model_copy(update={"sample_rows": 300})})
    try:
        group(LAST, sample_settings, small)
        sampled = left(sample_settings, "groups")
        group(LAST, sample_settings, small)
        pd.testing.assert_frame_equal(left(sample_settings, "groups"), sampled)
    finally:
        group(LAST, sample_settings, policy)
    assert list(sampled.index) == list(whole.index)
    for aspect in ASPECTS:
        assert (sampled[f"{aspect}_group"].fillna("") == whole[f"{aspect}_group"].fillna("")).mean() > 0.8


WITHOUT = {
    "outages": (["quiet", "often in touch"], "there are no records of outages"),
    "service_contacts": (["quiet", "often without power"], "there are no records of service contacts"),
}


@pytest.mark.parametrize("table", WITHOUT)
def test_without_an_optional_table_demand_is_what_the_other_tells(
    sample_settings, sample_lake, policy, tmp_path, table
):
    names, remark = WITHOUT[table]
    settings = sample_settings.model_copy(update={"lake": linked(sample_lake, tmp_path / "lake", table)})
    compute_indices(LAST, settings, policy)
    assert group(LAST, settings, policy)["without"] == [table]
    profiles = left(settings, "group_profiles").loc["demand", "profile"]
    assert list(profiles.index) == names
    assert all(remark in words for words in profiles)
    assert set(left(settings, "groups")["demand_group"].dropna()) == set(names)


def test_without_both_optional_tables_there_is_no_demand(sample_settings, sample_lake, policy, tmp_path):
    settings = sample_settings.model_copy(update={"lake": linked(sample_lake, tmp_path / "lake", *WITHOUT)})
    compute_indices(LAST, settings, policy)
    seen = group(LAST, settings, policy)
    assert [*seen["groups"]] == ["value", "behaviour"]
    groups = left(settings, "groups")
    assert groups["demand_group"].isna().all()
    assert groups["group_name"].str.count(", ").max() == 1
    pd.testing.assert_series_equal(groups["value_group"], left(sample_settings, "groups")["value_group"])


@pytest.fixture
def small(settings, policy):
    """Fill the lake of a test with a few records and group October 2026: rows by customer_id."""

    def run(policy=policy, **rows) -> dict[str, dict]:
        fill_lake(Lake(settings.lake_path), tables(**rows), OCTOBER)
        compute_indices(OCTOBER, settings, policy)
        run.seen = group(OCTOBER, settings, policy)
        return left(settings, "groups", OCTOBER).to_dict("index")

    return run


@pytest.mark.parametrize("customers", [0, 1, 2])
def test_few_customers_make_few_groups(small, customers):
    found = small(customers=[customer(n) for n in range(customers)], bills=[bill(n, OCTOBER) for n in range(customers)])
    assert len(found) == customers
    assert sum(small.seen["groups"].get("value", {}).values()) == customers
    if customers == 1:
        assert found["C000"]["group_name"] == "medium value, pays on time"
        assert found["C000"]["revenue"] == Decimal("100.25")


def test_a_group_that_nothing_tells_from_the_others_is_not_made(small):
    contacts = [
        {
            "contact_id": f"{n}-{at}",
            "customer_id": f"C{n:03}",
            "contact_type": "enquiry",
            "contacted_at": instant(date(2026, 10, 5)),
            "recorded_at": instant(date(2026, 10, 6)),
        }
        for n in range(6)
        for at in range(n // 2)
    ]
    outage = {"outage_id": "O", "feeder_id": "F1", "is_planned": False, "starts_at": instant(date(2026, 10, 5))}
    outage |= {"ends_at": instant(date(2026, 10, 6)), "recorded_at": instant(date(2026, 10, 6))}
    small(customers=[customer(n) for n in range(6)], service_contacts=contacts, outages=[outage])
    assert small.seen["without"] == []
    assert set(small.seen["groups"]["demand"]) == {"quiet", "often in touch"}


def test_only_customers_who_closed_are_left(small):
    found = small(customers=[customer(0, closed_on=date(2026, 10, 5))])
    assert (found["C000"]["group_name"], found["C000"]["life_cycle_stage"]) == ("closed", "closed")
    assert small.seen["groups"] == {}


def test_sensitivities_are_taken_from_the_indices_where_they_are(settings, policy):
    fill_lake(Lake(settings.lake_path), tables(customers=[customer(n) for n in range(2)]), OCTOBER)
    names = ("service_quality_sensitivity", "outage_sensitivity")
    known = [dict(zip(names, values, strict=True)) for values in ((0.4, 0.1), (None, None))]
    rows = [rated(n, policy) | {"customer_id": f"C{n:03}"} | more for n, more in enumerate(known)]
    rows = pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(rows[:1]).schema)
    write_indices(settings, rows)
    group(OCTOBER, settings, policy)
    found = left(settings, "groups", OCTOBER)[["service_sensitivity", "outage_sensitivity"]]
    assert found.loc["C000"].to_list() == [0.4, 0.1]
    assert found.loc["C001"].isna().all()


def test_a_policy_without_some_indices_groups_by_the_others(small, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        "indices: {consumption_trend: null, avg_monthly_kwh: null, max_days_past_due: null}\n"
        "expert: {weights: {consumption_trend: null, max_days_past_due: null}}\n"
        "groups: {value: {medium value: null}}"
    )
    bills = [bill(n, OCTOBER, amount=Decimal(10 + 1000 * (n % 2))) for n in range(6)]
    found = small(Policy.load(path), customers=[customer(n) for n in range(6)], bills=bills)
    assert [found[f"C{n:03}"]["value_group"] for n in range(4)] == ["low value", "high value"] * 2
    assert found["C000"]["life_cycle_stage"] == "mature"


def test_what_cannot_be_grouped_is_one_line(settings, policy):
    fill_lake(Lake(settings.lake_path), tables(customers=[customer(0)]), OCTOBER)
    with pytest.raises(LakeError, match=r"indices/rating_month=2026-10"):
        group(OCTOBER, settings, policy)
    write_indices(
        settings, pa.Table.from_pylist([rated(0, policy) | {"customer_id": "C000", "avg_monthly_kwh": np.inf}])
    )
    with pytest.raises(ModelError, match=r"^2026-10: the customers cannot be grouped: .*avg_monthly_kwh.*infinite"):
        group(OCTOBER, settings, policy)
