"""Retention: what goes, and that nothing goes that a published month still needs."""

import os
import shutil
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from pipeline.errors import WarehouseUnavailableError
from pipeline.ingest import validation_pages
from pipeline.lake import QUARANTINE, Lake, fact_key
from pipeline.lake.known_records import KnownRecords
from pipeline.maintenance.retention import clean
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.warehouse import locks, publications, revisions
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.tables import portfolio_cells

FIRST, LAST = RatingMonth(2025, 1), RatingMonth(2026, 10)
PUBLISHED = (LAST - 3, LAST - 2, LAST - 1, LAST)
KEPT = PUBLISHED[-2:]
CELL = {
    "segment": "residential",
    "rating_basis": "model",
    "grade": "A",
    "customers": 1,
    "score": 600.0,
    "expected_defaults": 0.01,
}


@pytest.fixture(scope="module")
def brief(policy) -> Policy:
    """Two published months can be repeated: they read 15 months of the register and learn
    from cohorts 1 and 2 months ago."""
    changes = {
        "extract": {"history_months": 15},
        "label": {"horizon_months": 1, "embargo_months": 0},
        "training": {"cohorts": 2},
        "retention": {
            "repeatable_months": 2,
            "derived_months": 2,
            "replaced_revisions": 1,
            "data_docs_months": 2,
            "min_age_days": 0,
        },
    }
    return policy.model_copy(
        update={name: getattr(policy, name).model_copy(update=section) for name, section in changes.items()}
    )


@pytest.fixture(scope="module")
def template(databases, brief, tmp_path_factory):
    """Records of 22 months, four published months, and what was made of them."""
    with databases(tmp_path_factory.mktemp("template")) as settings:
        _fill(settings, brief)
        yield settings


@pytest.fixture
def installation(databases, template, tmp_path):
    """A copy of it."""
    with databases(tmp_path / "home", like=template) as settings:
        shutil.copytree(template.data_docs_path, settings.data_docs_path)
        yield settings


def _fill(settings, brief):
    lake = Lake(settings.lake_path)
    for month in RatingMonth.span(FIRST, LAST):
        for table in ("customers", "bills", "payments", "arrears"):
            _write(lake, table, **{fact_key(table): month})
            _write(lake, QUARANTINE + table, **{fact_key(table): month})
    for month in PUBLISHED:
        for table in ("bill_status", "indices", "grades"):
            _write(lake, table, rating_month=month, basis="as_known_then")
    _publish(settings, brief, [(month, "as_known_then") for month in PUBLISHED])
    _publish(settings, brief, [(LAST, "as_known_now"), *((LAST, "as_known_then") for _ in range(3))])
    for month in PUBLISHED:
        page = settings.data_docs_path / f"{month}_as_known_then" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("x" * 100)


def _write(lake, table, **keys):
    with lake.writing(table, **keys) as partition:
        pq.write_table(pa.table({"id": ["x"]}), partition.folder / "part-0.parquet")
        partition.manifest(rows=0 if table.startswith(QUARANTINE) else 1)


def _publish(settings, policy, months):
    lake = Lake(settings.lake_path)
    for month, basis in months:
        inputs = KnownRecords(lake, policy, month).inputs
        hashes = dict.fromkeys(("content_sha256", "policy_sha256", "model_sha256"), "x")
        with transaction(settings) as connection:
            revision = publications.next_revision(connection, month)
            run = {"rows": 1, "model_versions": {}, "run_id": "t", "run_kind": "backfill"}
            made = Publication(
                uuid.uuid4(), month, revision, basis, **run, **hashes, input_sha256=inputs.sha256, taken_over={}
            )
            publications.record(connection, made)
            publications.record_origin(connection, made, {}, inputs.hashes())
            portfolio_cells.enter(connection, made, [CELL])
            name = revisions.staged_name("credit_grades", month, revision)
            connection.execute(text(f"create table rating.{name} (customer_id text)"))


def needed(settings, policy):
    """The hashes of all that the months to keep were rated from, and would learn from."""
    lake = Lake(settings.lake_path)
    read = [KnownRecords(lake, policy, month).inputs.sha256 for month in KEPT]
    for month in KEPT:
        for cohort in (month - 1, month - 2):
            read.append(KnownRecords(lake, policy, cohort, customers_of=month, known_in=month).inputs.sha256)
    return read


def test_nothing_goes_that_the_months_to_keep_were_rated_from_or_learn_from(installation, brief):
    before = needed(installation, brief)
    gone = clean(installation, brief)
    assert needed(installation, brief) == before
    lake = Lake(installation.lake_path)
    oldest = KEPT[0]
    assert lake.facts("customers") == list(RatingMonth.span(oldest - 2, LAST))  # those of the oldest cohort
    assert lake.facts("bills") == lake.facts("payments") == list(RatingMonth.span(FIRST, LAST))  # debts never lapse
    assert lake.facts("arrears") == list(RatingMonth.span(oldest - 2 - 14, LAST))
    assert not lake.has(QUARANTINE + "arrears", recorded_month=FIRST)
    assert {one.kind for one in gone} == {"facts", "derived", "revision", "pages"}
    assert all(one.size_bytes > 0 for one in gone if one.kind != "revision")


def test_the_lake_remembers_since_when_it_had_what_is_gone(installation, brief):
    lake = Lake(installation.lake_path)
    clean(installation, brief)
    assert lake.facts("arrears")[0] > FIRST
    assert lake.beginning("arrears") == FIRST
    clean(installation, brief)
    assert lake.beginning("arrears") == FIRST
    assert lake.beginning("violations") is None


def test_of_derived_partitions_and_pages_the_newest_months_stay(installation, brief):
    clean(installation, brief)
    kept = {(table, month) for table, month, _ in Lake(installation.lake_path).derived()}
    assert kept == {*((table, month) for table in ("indices", "grades") for month in KEPT), ("bill_status", LAST)}
    runs = [month for month, _ in validation_pages.runs(installation.data_docs_path)]
    assert runs == [LAST - 1, LAST]


def test_of_replaced_revisions_the_newest_and_the_latest_on_each_basis_stay(installation, brief):
    clean(installation, brief)
    with transaction(installation) as connection:
        tables = connection.execute(text("select relname from pg_class where relname ~ '_2026_10_r' and relkind = 'r'"))
        assert sorted(tables.scalars()) == [f"credit_grades_2026_10_r{revision}" for revision in (2, 4, 5)]
        kept = publications.revisions_of(connection, LAST)
        counted = connection.execute(text("select distinct publication_id from rating.portfolio_cells")).scalars().all()
    assert [one.revision for one in kept if one.rows_removed_at is not None] == [3, 1]
    assert {one.publication_id for one in kept} & set(counted) == {
        one.publication_id for one in kept if one.rows_removed_at is None
    }
    assert len(kept) == 5


def test_a_dry_run_says_the_same_and_removes_nothing(installation, brief):
    would = clean(installation, brief, dry_run=True)
    assert would == clean(installation, brief, dry_run=True) == clean(installation, brief)
    assert clean(installation, brief) == []


def test_what_was_written_lately_stays(installation, brief):
    patient = brief.model_copy(update={"retention": brief.retention.model_copy(update={"min_age_days": 1})})
    assert {one.kind for one in clean(installation, patient)} == {"revision", "pages"}


def test_where_nothing_is_published_nothing_goes(settings, brief):
    _write(Lake(settings.lake_path), "bills", recorded_month=FIRST)
    assert clean(settings, brief) == []


def test_what_killed_runs_left_goes_when_it_is_old(settings, brief):
    patient = brief.model_copy(update={"retention": brief.retention.model_copy(update={"min_age_days": 1})})
    lake = Lake(settings.lake_path)
    _write(lake, "bills", recorded_month=FIRST)
    [written] = lake.files("bills", recorded_month=FIRST)
    unnamed = lake.path("bills", recorded_month=LAST) / f"part-0-{'0' * 32}.parquet"
    scratch = settings.scratch_path / "tmp1234" / "rows.parquet"
    for path in (unnamed, scratch):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    foreign = unnamed.with_name("by-hand.parquet")
    foreign.write_bytes(b"whose?")
    assert clean(settings, patient) == []  # a living run's may look like this
    for path in (Path(written), unnamed, scratch, scratch.parent):
        os.utime(path, (0, 0))
    left = clean(settings, patient)
    assert [(one.kind, one.name, one.size_bytes) for one in left] == [
        ("unfinished", f"bills/recorded_month={LAST}/{unnamed.name}", 4),
        ("unfinished", "scratch/tmp1234", 4),
    ]
    assert not unnamed.exists()
    assert not scratch.parent.exists()
    assert foreign.exists()  # for a person to look at: gridgrade audit names it
    assert [name for name, _ in lake.foreign()] == [f"bills/recorded_month={LAST}"]
    assert lake.files("bills", recorded_month=FIRST) == [written]
    assert clean(settings, patient) == []


def test_nothing_goes_while_a_month_is_rated(installation, brief):
    hasty = brief.model_copy(update={"publish": brief.publish.model_copy(update={"lock_timeout_seconds": 1})})
    with (
        locks.rating(installation, LAST, 1, "gridgrade command 2026-10"),
        pytest.raises(WarehouseUnavailableError, match=r"a month is being rated \(gridgrade command 2026-10"),
    ):
        clean(installation, hasty)
    assert Lake(installation.lake_path).facts("bills")[0] == FIRST
