"""A published month as Parquet in the lake: what readers see, whole, with its contract, and gone with its revision."""

import json

import duckdb
import pyarrow as pa
import pytest

from pipeline.grading.grade import grade
from pipeline.lake import Lake
from pipeline.maintenance.retention import clean
from pipeline.publishing import lake_copy
from pipeline.publishing.publish import publish
from pipeline.warehouse import model_registry
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices


@pytest.fixture
def rated(settings, policy):
    """``rated("ABCD", lake_copy=True)`` publishes October, with customers of these bands."""
    for family, version in MODELS.items():
        register(settings, family, version, expert(policy, family))
        model_registry.promote(settings, version, "policy", from_month=OCTOBER)

    def run(bands: str, **changed) -> dict:
        rows = [customer(n, policy, band=band) for n, band in enumerate(bands)]
        write_indices(settings, pa.Table.from_pylist(rows))
        asked = policy.model_copy(update={"publish": policy.publish.model_copy(update=changed)})
        grade(OCTOBER, settings, asked, **BASIS, models=MODELS)
        return publish(OCTOBER, settings, asked, **BASIS, run_id="r", run_kind="command", accept_moves=True)

    return run


def test_the_copy_is_what_readers_see_and_follows_each_revision(rated, settings, policy, sql):
    folder = Lake(settings.lake_path).path(lake_copy.COPY, rating_month=OCTOBER)
    rated("ABCD")
    assert not folder.exists()
    for bands, revision in (("ABCD", 1), ("BACD", 2)):
        rated(bands, lake_copy=True)
        columns = ("customer_id", "grade", "score", "default_probability", "reason_1", "model_version")
        copied = duckdb.execute(f"select {', '.join(columns)} from '{folder}/*.parquet'").fetchall()
        assert copied == sql(f"select {', '.join(columns)} from rating.credit_grades order by customer_id")
        contract = json.loads((folder / lake_copy.CONTRACT).read_text(encoding="utf-8"))
        assert (contract["rating_month"], contract["revision"], contract["rows"]) == ("2026-10", revision, 4)
        held = duckdb.execute(f"select name from parquet_schema('{folder}/*.parquet') offset 1").fetchall()
        assert {column["name"] for column in contract["columns"]} == {name for (name,) in held}
        assert all(column["meaning"] for column in contract["columns"])
    assert [found.kind for found in clean(settings, policy)] == []


def test_the_same_content_leaves_the_copy_as_it_is(rated, settings):
    lake = Lake(settings.lake_path)
    rated("AB", lake_copy=True)
    before = lake.manifest(lake_copy.COPY, rating_month=OCTOBER)
    assert not rated("AB", lake_copy=True)["changed"]
    assert lake.manifest(lake_copy.COPY, rating_month=OCTOBER) == before


def test_a_copy_of_a_replaced_revision_is_cleaned_away(rated, settings, policy):
    rated("AB", lake_copy=True)
    rated("BA")
    lake = Lake(settings.lake_path)
    assert [found.name for found in clean(settings, policy, dry_run=True)] == ["published/credit_grades 2026-10"]
    assert lake.copies(lake_copy.COPY) == [OCTOBER]
    clean(settings, policy)
    assert lake.copies(lake_copy.COPY) == []
