"""A lake in a folder and one in an object store behave alike, whoever writes, fails or dies."""

import json
import logging
import os
import re
import signal
import threading
import time
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from pipeline.engine import objects, open_engine
from pipeline.engine.queries import compose
from pipeline.errors import ConfigError, LakeError
from pipeline.lake import MANIFEST, Lake, integrity
from pipeline.lake.storage import Changed, storage
from pipeline.maintenance.doctor import _lake as looked_at
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from tests.support.s3 import SECRET

OCTOBER = RatingMonth(2026, 10)
FACTS = {"recorded_month": OCTOBER}
DERIVED = {"rating_month": OCTOBER, "basis": "as_known_then"}


@pytest.fixture(params=["folder", "s3"])
def settings(request, tmp_path):
    lake = tmp_path / "lake" if request.param == "folder" else request.getfixturevalue("bucket")
    return Settings(home=tmp_path / "home", lake=lake, threads=2)


@pytest.fixture
def lake(settings):
    return Lake.of(settings)


def write(lake, table, *values, **keys):
    with lake.writing(table, **keys) as partition:
        for number, value in enumerate(values):
            pq.write_table(pa.table({"value": [value]}), partition.folder / f"part-{number}.parquet")
        partition.manifest(rows=len(values), sums={"value": sum(values)})


def read(settings, files):
    with open_engine(settings) as engine:
        engine.bind_files("rows", files)
        return engine.fetch(compose("select value from rows order by 1"))["value"].to_pylist()


def names(lake):
    return [stored.name for stored in lake._storage.found("")]


# -- documents --------------------------------------------------------------------------------------------------------


def test_a_document_is_put_only_over_what_its_writer_has_read(settings):
    kept = storage(settings.lake_path)
    assert kept.version("a/b.json") is None
    kept.put("a/b.json", "first", None)
    seen = kept.version("a/b.json")
    with pytest.raises(Changed):
        kept.put("a/b.json", "another", None)
    kept.put("a/b.json", "second", seen)
    with pytest.raises(Changed):
        kept.put("a/b.json", "stale", seen)
    assert kept.read("a/b.json") == "second"
    kept.remove("a/b.json")
    with pytest.raises(Changed):
        kept.put("a/b.json", "over what is gone", seen)
    with pytest.raises(FileNotFoundError):
        kept.read("a/b.json")
    kept.remove("a/b.json")
    assert kept.found("") == []


# -- writers ----------------------------------------------------------------------------------------------------------


def test_a_partition_is_read_as_it_was_written_and_its_hash_is_that_of_the_bytes(settings, lake, tmp_path):
    write(lake, "bills", 7, 8, **FACTS)
    write(Lake(tmp_path / "other"), "bills", 7, 8, **FACTS)
    assert read(settings, lake.files("bills", **FACTS)) == [7, 8]
    other = Lake(tmp_path / "other").manifest("bills", **FACTS)
    assert lake.manifest("bills", **FACTS)["sha256"] == other["sha256"]
    assert lake.facts("bills") == [OCTOBER]
    assert list(lake.partitions()) == ["bills/recorded_month=2026-10"]


def test_of_two_writers_of_facts_the_first_stands_and_the_other_goes_on_with_it(settings, lake, caplog):
    caplog.set_level(logging.INFO)
    with lake.writing("bills", **FACTS) as slow:
        pq.write_table(pa.table({"value": [2]}), slow.folder / "part-0.parquet")
        slow.manifest(rows=1)
        write(lake, "bills", 1, **FACTS)
    assert read(settings, lake.files("bills", **FACTS)) == [1]
    assert len(names(lake)) == 2


def test_of_two_writers_of_a_derived_partition_one_wins_whole_and_the_other_is_told(settings, lake):
    def write_while_another_does():
        with lake.writing("indices", **DERIVED) as slow:
            pq.write_table(pa.table({"value": [2]}), slow.folder / "part-0.parquet")
            slow.manifest(rows=1)
            write(lake, "indices", 1, **DERIVED)

    write(lake, "indices", 0, **DERIVED)
    with pytest.raises(LakeError, match=r"basis=as_known_then was written by another run meanwhile.*run again$"):
        write_while_another_does()
    assert read(settings, lake.files("indices", **DERIVED)) == [1]
    assert len(names(lake)) == 2


def test_a_writer_of_the_same_goes_on_with_what_the_other_wrote(lake):
    with lake.writing("quarantine/bills", **FACTS) as slow:
        pq.write_table(pa.table({"value": [1]}), slow.folder / "part-0.parquet")
        slow.manifest(rows=1, sums={"value": 1})
        write(lake, "quarantine/bills", 1, **FACTS)
    assert lake.manifest("quarantine/bills", **FACTS)["rows"] == 1


def test_readers_see_one_whole_partition_while_many_write_it(settings, lake):
    """Each writer's files all hold its own number; whoever reads finds three of one number, or is told."""
    write(lake, "indices", 0, 0, 0, **DERIVED)
    seen, told, done = set(), [], threading.Event()

    def writer(number):
        for _ in range(4):
            try:
                write(lake, "indices", number, number, number, **DERIVED)
            except LakeError as error:
                told.append(str(error))

    def reader():
        is_last = False
        while not is_last:
            is_last = done.is_set()
            try:
                seen.add(tuple(read(settings, lake.files("indices", **DERIVED))))
            except LakeError as error:
                told.append(str(error))

    writers = [threading.Thread(target=writer, args=(number,)) for number in (1, 2, 3)]
    readers = [threading.Thread(target=reader) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert seen
    assert all(len(set(values)) == 1 and len(values) == 3 for values in seen)
    assert all("\n" not in line and re.search("run again|is missing", line) for line in told)
    assert len(names(lake)) == 4
    assert list(lake.foreign()) == []


def test_a_reader_of_what_was_replaced_gets_an_error_and_not_half(settings, lake):
    write(lake, "indices", 1, 2, **DERIVED)
    with open_engine(settings) as engine:
        engine.bind_files("rows", lake.files("indices", **DERIVED))
        write(lake, "indices", 3, **DERIVED)
        with pytest.raises(LakeError, match=r"^lake file .*/part-0-\w+\.parquet is gone: .*run again$"):
            engine.fetch(compose("select sum(value) from rows"))


DIES = """
import os, signal
import pyarrow as pa, pyarrow.parquet as pq
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.settings import Settings

lake = Lake.of(Settings.load())
kind, calls = type(lake._storage), []
function, call = {when}
real = getattr(kind, function)

def until(*inputs):
    calls.append(inputs)
    if len(calls) == call:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*inputs)

setattr(kind, function, until)
with lake.writing("indices", rating_month=RatingMonth(2026, 10), basis="as_known_then") as partition:
    for number in range(2):
        pq.write_table(pa.table({"value": [5 + number]}), partition.folder / f"part-{number}.parquet")
    partition.manifest(rows=2)
"""
BETWEEN_FILES, BEFORE_MANIFEST, BEFORE_REMOVAL = ("put_file", 2), ("put", 1), ("remove", 1)


@pytest.mark.parametrize("when", [BETWEEN_FILES, BEFORE_MANIFEST, BEFORE_REMOVAL])
def test_a_killed_writer_leaves_nothing_that_a_reader_sees(settings, lake, forks, when):
    write(lake, "indices", 1, 2, **DERIVED)
    before = names(lake)
    where = {"GRIDGRADE_HOME": str(settings.home), "GRIDGRADE_LAKE": str(settings.lake)}
    client = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert forks.run(DIES.replace("{when}", repr(when)), where | client) == -signal.SIGKILL
    is_new = when == BEFORE_REMOVAL
    assert read(settings, lake.files("indices", **DERIVED)) == ([5, 6] if is_new else [1, 2])
    assert len(names(lake)) > len(before)
    assert list(lake.foreign()) == []  # a living writer's may look like this
    assert list(lake.unnamed(older_than=60)) == []
    for stored in lake.unnamed():
        lake.remove_unnamed(stored)
    assert read(settings, lake.files("indices", **DERIVED)) == ([5, 6] if is_new else [1, 2])
    assert len(names(lake)) == len(before)
    write(lake, "indices", 9, **DERIVED)  # the next writer removes the folder that the dead one worked in
    assert not list(lake._staging.iterdir())


def test_an_answer_that_was_lost_is_no_other_writer(lake, monkeypatch):
    put = type(lake._storage).put

    def answered_twice(self, *inputs):
        put(self, *inputs)
        raise Changed  # as a client hears that asks again, having missed that it was done

    monkeypatch.setattr(type(lake._storage), "put", answered_twice)
    write(lake, "indices", 4, **DERIVED)
    monkeypatch.undo()
    assert lake.manifest("indices", **DERIVED)["rows"] == 1
    assert len(lake.files("indices", **DERIVED)) == 1


def test_files_that_an_engine_put_into_the_lake_itself_are_adopted(settings, lake):
    """As Spark does, which shares no folder with this process."""
    for value in (1, 2):
        with lake.writing("indices", **DERIVED) as partition:
            filesystem = lake._storage._store if "://" in partition.direct else None
            for number in range(2):
                name = f"{partition.direct}/part-{number}.parquet"
                if filesystem is None:
                    os.makedirs(partition.direct, exist_ok=True)
                pq.write_table(pa.table({"value": [value]}), name.removeprefix("s3://"), filesystem=filesystem)
            partition.manifest(rows=2)
    assert read(settings, lake.files("indices", **DERIVED)) == [2, 2]
    assert len(names(lake)) == 3
    lake.check("indices/rating_month=2026-10/basis=as_known_then")


def test_a_partition_of_before_names_had_tokens_is_read_and_replaced(settings, lake, tmp_path):
    within = lake.name("indices", **DERIVED)
    pq.write_table(pa.table({"value": [3]}), tmp_path / "part-0.parquet")
    document = {"rows": 1, "sums": {}, "files": ["part-0.parquet"]}
    document["sha256"] = integrity.hash_opened([partial((tmp_path / "part-0.parquet").open, "rb")])
    lake._storage.put_file(tmp_path / "part-0.parquet", f"{within}/part-0.parquet")
    lake._storage.put(f"{within}/{MANIFEST}", json.dumps(integrity.seal(document, within)), None)
    assert read(settings, lake.files("indices", **DERIVED)) == [3]
    assert list(lake.foreign()) == []
    write(lake, "indices", 4, **DERIVED)
    assert read(settings, lake.files("indices", **DERIVED)) == [4]
    assert f"{within}/part-0.parquet" not in names(lake)


# -- damage -----------------------------------------------------------------------------------------------------------


def harm(lake, file, content):
    where = lake._storage.location(file)
    if isinstance(where, str):
        lake._storage._store.pipe_file(where, content)
    else:
        where.write_bytes(content)


def test_a_damaged_or_lost_file_is_told_before_it_is_read(settings, lake):
    write(lake, "bills", 7, **FACTS)
    [data] = [name for name in names(lake) if name.endswith(".parquet")]
    good = lake._storage.open(data).read()
    harm(lake, data, good[:-9] + b"x" + good[-8:])
    with pytest.raises(LakeError, match=r"recorded_month=2026-10 is damaged: .* its sha256 differs"):
        lake.files("bills", **FACTS)
    with pytest.raises(LakeError, match="is damaged"):
        lake.check("bills/recorded_month=2026-10")
    harm(lake, data, good)
    assert read(settings, Lake.of(settings).files("bills", **FACTS)) == [7]
    lake._storage.remove(data)
    with pytest.raises(LakeError, match=r"part-0-\w+\.parquet is missing"):
        lake.files("bills", **FACTS)


def test_a_lake_that_was_copied_into_a_store_is_read_by_its_hashes(bucket, tmp_path):
    local = Lake(tmp_path / "lake")
    write(local, "bills", 7, **FACTS)
    store = objects.objects(bucket).store
    store.put(f"{local.root}/bills", f"{bucket}/bills", recursive=True)
    settings = Settings(home=tmp_path / "home", lake=bucket)
    assert read(settings, Lake.of(settings).files("bills", **FACTS)) == [7]


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_doctor_says_what_a_store_wants(bucket, tmp_path, elsewhere, s3_server, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    settings = Settings(home=tmp_path, lake=bucket)
    assert looked_at(settings) == bucket
    assert names(Lake.of(settings)) == []

    def refused(error=LakeError, where=bucket):
        with pytest.raises(error) as raised:
            looked_at(Settings(home=tmp_path, lake=where))
        [line] = str(raised.value).splitlines()
        return line

    assert "there is no such bucket" in refused(where="s3://nowhere-to-be/found")
    try:
        requests.post(f"{s3_server}/moto-api/reset-auth", data=b"0", timeout=10)
        assert "access is denied (InvalidAccessKeyId); check the credentials" in refused()
    finally:
        requests.post(f"{s3_server}/moto-api/reset-auth", data=b"1e12", timeout=10)
    elsewhere(AWS_ENDPOINT_URL=f"http://someone:{SECRET}@127.0.0.1:1")
    away = refused()
    assert "the store cannot be reached" in away
    assert "AWS_ENDPOINT_URL" in away
    assert SECRET not in away + "".join(r.getMessage() for r in caplog.records if r.name.startswith("pipeline"))

    def missing(*_, **__):
        raise ImportError

    monkeypatch.setattr(objects.fsspec, "filesystem", missing)
    objects._opened.cache_clear()
    assert "needs s3fs: pip install 'gridgrade[s3]'" in refused(ConfigError)


def test_a_store_that_overwrites_what_it_should_not_is_no_place_for_a_lake(bucket, tmp_path, monkeypatch):
    store = objects.objects(bucket).store
    put = store.pipe_file
    monkeypatch.setattr(store, "pipe_file", lambda where, content, **_: put(where, content))
    with pytest.raises(LakeError, match="needs conditional writes"):
        looked_at(Settings(home=tmp_path, lake=bucket))


@pytest.mark.parametrize("url", [f"s3://key:{SECRET}@bucket/x", f"s3://{SECRET}@b", f"s3://bucket/x?sig={SECRET}"])
def test_credentials_in_the_url_are_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="GRIDGRADE_LAKE: has credentials in it: write s3://bucket/prefix") as refused:
        Settings.load(lake=url)
    assert SECRET not in str(refused.value)


def test_any_other_scheme_is_refused():
    with pytest.raises(ConfigError, match=r"write a folder, or s3://\.\.\., abfs://\.\.\., gs://\.\.\."):
        Settings.load(lake="ftp://host/lake")
    assert Settings.load(lake="s3://bucket/a/prefix/").lake_path == "s3://bucket/a/prefix"


def test_what_is_young_is_left_to_its_writer(lake):
    with lake.writing("bills", **FACTS) as partition:
        lake._storage.put_file(
            _parquet(partition.folder), f"bills/recorded_month=2026-10/part-0-{partition.token}.parquet"
        )
        assert list(lake.foreign()) == []
        assert list(lake.unnamed(older_than=60)) == []
        time.sleep(0.01)
        assert len(list(lake.unnamed())) == 1
        partition.manifest(rows=0)


def _parquet(folder):
    pq.write_table(pa.table({"value": [1]}), folder / "x.parquet")
    return folder / "x.parquet"
