"""Validation by Spark and by DuckDB: the same rows are left out, for the same reasons, in the same files."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from pipeline.ingest.extract import extract
from pipeline.ingest.validate import validate
from pipeline.lake import QUARANTINE, Lake
from pipeline.sample import LAST, fill_source
from pipeline.source import contract
from tests.support.records.billing import in_source
from tests.support.spark import Row

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

BY_HAND = (
    "alter table payments alter column amount type numeric, alter column paid_on type text",
    "update payments set amount = 'NaN', paid_on = 'soon' where payment_id = (select min(payment_id) from payments)",
    "update outages set ends_at = starts_at - interval '90 minutes' "
    "where outage_id = (select min(outage_id) from outages)",
)


@pytest.fixture(scope="module")
def loose(policy):
    limits = {"quarantine_limit": 1.0, "quarantine_limits": {}, "reference_grace_months": 1}
    return policy.model_copy(update={"validation": policy.validation.model_copy(update=limits)})


@pytest.fixture(scope="module")
def both(databases, spark_settings, loose, tmp_path_factory):
    """The same records in two lakes, a row in a hundred of every table faulty, after each engine validated them."""
    with databases(tmp_path_factory.mktemp("by_duckdb")) as by_duckdb:
        fill_source(by_duckdb, 400, 4, dirty=0.01)
        in_source(by_duckdb, *BY_HAND)
        extract(LAST, by_duckdb, loose)
        with databases(tmp_path_factory.mktemp("by_spark"), like=by_duckdb) as like:
            by_spark = like.model_copy(update=spark_settings.model_dump(include={"engine", "threads", "memory_limit"}))
            yield by_duckdb, by_spark, [validate(LAST, settings, loose) for settings in (by_duckdb, by_spark)]


def test_the_quarantine_is_the_same_to_the_byte(both):
    *settings, summaries = both
    found = [dict(_quarantine(Lake(own.lake_path))) for own in settings]
    assert found[0] == found[1]
    for summary in summaries:
        del summary["data_docs"]
    assert summaries[0] == summaries[1]
    dirty = {name for name, rows in summaries[0]["quarantined"].items() if rows}
    assert dirty >= {name for name in contract() if summaries[0]["rows"].get(name, 0) > 100} - {"customers"}
    assert any(result["detail"] for document, _ in found[0].values() for result in document["results"])


@pytest.mark.parametrize("table", ["quarantine", "validation_results"])
def test_the_warehouse_lists_the_same(both, table):
    listed = [_rows(settings, f"select * from ops.{table}") for settings in both[:2]]
    assert listed[0] == listed[1]
    assert listed[0]


def _quarantine(lake: Lake) -> Iterator[tuple[str, tuple[Row, list[bytes]]]]:
    """What the manifest of each partition says but for names and times, and its files."""
    for name in map(str, lake.partitions()):
        if name.startswith(QUARANTINE):
            document = json.loads((lake.root / name / "_manifest.json").read_text())
            files = [(lake.root / name / file).read_bytes() for file in document["files"]]
            for changing in ("files", "written_at", "manifest_sha256"):
                del document[changing]
            yield name, (document, files)


def _rows(settings, statement) -> list[str]:
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(statement).fetchall()
    for row in rows:
        for name in [name for name in row if name.endswith("_at")]:
            del row[name]
        if "lake_path" in row:
            row["lake_path"] = row["lake_path"].removeprefix(f"{settings.lake_path}").rpartition("/")[0]
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
