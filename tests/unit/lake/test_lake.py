"""Partitions appear whole or not at all, whoever writes, fails or dies."""

import json
import multiprocessing
import os
import resource
import signal
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import LakeError, SourceUnavailableError
from pipeline.lake import Lake
from pipeline.month import RatingMonth

OCTOBER, NOVEMBER = RatingMonth(2026, 10), RatingMonth(2026, 11)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "a lake")


def write(lake, table, value, **keys):
    with lake.writing(table, **keys) as partition:
        pq.write_table(pa.table({"value": [value]}), partition.folder / "part-0.parquet")
        partition.manifest(rows=1, sums={"value": value})


def value(lake, table, **keys):
    [file] = lake.files(table, **keys)
    return pq.ParquetFile(file).read()["value"].to_pylist()


def leftovers(lake):
    return sorted(path.name for path in (lake.root / ".staging").iterdir())


def test_a_partition_is_there_with_its_files_and_manifest(lake):
    write(lake, "bills", 7, recorded_month=OCTOBER)
    assert lake.has("bills", recorded_month=OCTOBER)
    assert not lake.has("bills", recorded_month=NOVEMBER)
    assert value(lake, "bills", recorded_month=OCTOBER) == [7]
    manifest = lake.manifest("bills", recorded_month=OCTOBER)
    assert manifest["rows"] == 1
    assert manifest["sums"] == {"value": "7"}
    assert len(manifest["sha256"]) == 64
    assert lake.path("bills", recorded_month=OCTOBER) == lake.root / "bills" / "recorded_month=2026-10"
    assert leftovers(lake) == []


def write_half(lake):
    with lake.writing("bills", recorded_month=OCTOBER) as partition:
        pq.write_table(pa.table({"value": [1]}), partition.folder / "part-0.parquet")
        raise SourceUnavailableError("gone")


def test_an_error_while_writing_leaves_nothing(lake):
    with pytest.raises(SourceUnavailableError):
        write_half(lake)
    assert not lake.has("bills", recorded_month=OCTOBER)
    assert lake.facts("bills") == []
    assert leftovers(lake) == []


def test_a_partition_without_a_manifest_is_refused(lake):
    with pytest.raises(LakeError, match="manifest"), lake.writing("bills", recorded_month=OCTOBER):
        pass
    assert not lake.has("bills", recorded_month=OCTOBER)


def test_facts_stand_as_first_written_and_derived_partitions_are_replaced(lake):
    for number in (1, 2):
        write(lake, "bills", number, recorded_month=OCTOBER)
        write(lake, "customers", number, snapshot_month=OCTOBER)
        write(lake, "indices", number, rating_month=OCTOBER, basis="as_known_then")
        write(lake, "quarantine/bills", number, recorded_month=OCTOBER)
    assert value(lake, "bills", recorded_month=OCTOBER) == [1]
    assert value(lake, "customers", snapshot_month=OCTOBER) == [1]
    assert value(lake, "indices", basis="as_known_then", rating_month=OCTOBER) == [2]
    assert value(lake, "quarantine/bills", recorded_month=OCTOBER) == [2]
    assert leftovers(lake) == []


def test_months_present_leave_out_folders_that_are_no_partitions(lake):
    write(lake, "bills", 1, recorded_month=NOVEMBER)
    write(lake, "bills", 1, recorded_month=OCTOBER)
    write(lake, "customers", 1, snapshot_month=OCTOBER)
    lake.path("bills", recorded_month="2026-09").mkdir()  # no manifest
    lake.path("bills", recorded_month="2026-13").mkdir()
    assert lake.facts("bills") == [OCTOBER, NOVEMBER]
    assert lake.facts("customers") == [OCTOBER]
    assert lake.facts("payments") == []


def test_fact_files_pair_each_partition_with_its_quarantine(lake):
    for month in (OCTOBER, NOVEMBER):
        write(lake, "bills", 1, recorded_month=month)
    write(lake, "quarantine/bills", 1, recorded_month=OCTOBER)
    with lake.writing("quarantine/bills", recorded_month=NOVEMBER) as partition:
        partition.manifest(rows=0)
    [first, second] = lake.fact_files("bills", [NOVEMBER, OCTOBER, OCTOBER + 5])
    assert [Path(part).parent.name for part in first] == ["recorded_month=2026-10"] * 2
    assert second[1] is None


def test_facts_that_were_never_validated_are_not_handed_out(lake):
    write(lake, "bills", 1, recorded_month=OCTOBER)
    with pytest.raises(LakeError, match="quarantine/bills"):
        lake.fact_files("bills", [OCTOBER])


def test_a_missing_partition_says_which_and_what_to_run(lake):
    with pytest.raises(LakeError, match=r"indices/rating_month=2026-10.*run the step that writes indices"):
        lake.files("indices", rating_month=OCTOBER)


def _write_until_killed(root, ready):
    with Lake(root).writing("bills", recorded_month=OCTOBER) as partition:
        (partition.folder / "part-0.parquet").write_bytes(b"half")
        ready.set()
        signal.pause()


def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_living_writer_is_left_alone(lake):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(target=_write_until_killed, args=(lake.root, ready))
    writer.start()
    assert ready.wait(60)
    write(lake, "bills", 1, recorded_month=NOVEMBER)
    assert len(leftovers(lake)) == 2  # the living writer's folder and its lock

    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert not lake.has("bills", recorded_month=OCTOBER)
    write(lake, "bills", 5, recorded_month=OCTOBER)
    assert value(lake, "bills", recorded_month=OCTOBER) == [5]
    assert leftovers(lake) == []


def test_of_concurrent_writers_of_one_month_one_wins_whole(lake):
    barrier, told = threading.Barrier(8), []

    def writer(number):
        barrier.wait()
        write(lake, "bills", number, recorded_month=OCTOBER)
        try:
            write(lake, "indices", number, rating_month=OCTOBER, basis="as_known_then")
        except LakeError as error:
            told.append(str(error))

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for table, keys in (
        ("bills", {"recorded_month": OCTOBER}),
        ("indices", {"rating_month": OCTOBER, "basis": "as_known_then"}),
    ):
        [number] = value(lake, table, **keys)
        assert lake.manifest(table, **keys)["sums"] == {"value": str(number)}
    assert all("indices/rating_month=2026-10/basis=as_known_then was written by another run" in line for line in told)
    assert leftovers(lake) == list(lake.unnamed()) == list(lake.foreign()) == []


def test_a_lake_that_cannot_be_written_says_where_and_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    lake = Lake(tmp_path / "file" / "lake")
    with pytest.raises(LakeError, match=r"file/lake/bills/recorded_month=2026-10 cannot be written.*GRIDGRADE_LAKE"):
        write(lake, "bills", 1, recorded_month=OCTOBER)


@pytest.fixture
def nearly_full_disk():
    """No file may grow past 1,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def write_big(lake, file_name):
    with lake.writing("bills", recorded_month=OCTOBER) as partition:
        (partition.folder / file_name).write_bytes(b"x" * 5000)


def write_big_with_duckdb(lake, file_name):
    with lake.writing("bills", recorded_month=OCTOBER) as partition:
        duckdb.sql(
            f"copy (select range from range(10000)) to '{partition.folder / file_name}' (compression 'uncompressed')"
        )


@pytest.mark.usefixtures("nearly_full_disk")
@pytest.mark.parametrize("writer", [write_big, write_big_with_duckdb])
def test_a_full_disk_is_the_lakes_error(lake, writer):
    with pytest.raises(LakeError, match=r"recorded_month=2026-10 cannot be written.*GRIDGRADE_LAKE"):
        writer(lake, "part-0.parquet")
    assert not lake.has("bills", recorded_month=OCTOBER)
    assert leftovers(lake) == []


def test_a_damaged_manifest_is_named(lake):
    write(lake, "bills", 1, recorded_month=OCTOBER)
    (lake.path("bills", recorded_month=OCTOBER) / "_manifest.json").write_text(json.dumps({})[:1])
    with pytest.raises(LakeError, match=r"is damaged: _manifest\.json is not JSON"):
        lake.manifest("bills", recorded_month=OCTOBER)
