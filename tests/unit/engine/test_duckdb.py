"""DuckDB: what does not fit in memory, and what it may not reach."""

import os
from datetime import date

import duckdb
import pyarrow as pa
import pytest

from pipeline.engine import open_engine
from pipeline.engine.connection import open_connection
from pipeline.engine.queries import compose
from pipeline.errors import ConfigError, LakeError
from pipeline.settings import Settings


@pytest.fixture
def home(tmp_path) -> Settings:
    return Settings(home=tmp_path / "a home", threads=2)


def test_a_sort_that_does_not_fit_in_memory_is_done_on_disk(home):
    narrow = home.model_copy(update={"memory_limit": "60MB"})
    with open_engine(narrow) as engine:
        engine.bind_table("seed", pa.table({"n": range(1000)}))
        text = "select md5(cast(a.n * 1000 + b.n as varchar)) as h from seed as a, seed as b order by h"
        assert sum(batch.num_rows for batch in engine.batches(compose(text))) == 1_000_000
    assert list(narrow.scratch_path.iterdir()) == []


def test_an_instant_has_the_same_date_in_every_session(home):
    with open_connection(home, "Asia/Shanghai") as connection, connection.cursor() as beside:
        for session in (connection, beside):
            assert session.execute("select cast(timestamptz '2026-10-31 17:00Z' as date)").fetchone() == (
                date(2026, 11, 1),
            )


def test_nothing_is_fetched_from_outside(home):
    with open_engine(home) as engine, pytest.raises(duckdb.Error):
        engine.fetch(compose("select * from read_parquet('https://127.0.0.1:1/x.parquet')"))


def test_a_scratch_folder_that_cannot_be_made_names_the_variable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match=r"scratch cannot be made: .*; check GRIDGRADE_HOME"):
        open_engine(Settings(home=tmp_path / "file"))


def test_too_little_memory_names_the_setting(tmp_path):
    settings = Settings(home=tmp_path, memory_limit="20MB", threads=1)
    with open_engine(settings) as small, pytest.raises(ConfigError, match="GRIDGRADE_MEMORY_LIMIT is too small"):
        small.fetch(compose("select list(i) as held from range(40000000) as t(i)"))


def test_what_is_made_of_records_is_its_owners_alone(tmp_path):
    before = os.umask(0o022)
    try:
        with open_engine(Settings(home=tmp_path / "new" / "home")):
            folders = [tmp_path / "new", tmp_path / "new" / "home", tmp_path / "new" / "home" / "scratch"]
            assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 3
    finally:
        os.umask(before)
