"""What ends a step that none of its own errors foresaw, and what steps load before they begin."""

import errno
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import ConfigError, LakeError
from pipeline.ingest import extract
from pipeline.month import RatingMonth
from pipeline.run import Run
from pipeline.settings import Settings

SCORING = (
    "pipeline.grading.grade",
    "pipeline.grading.sensitivity",
    "pipeline.models.choose_model",
    "pipeline.monitoring.monitor",
    "pipeline.publishing.publish",
)
SLOW_TO_LOAD = {"great_expectations", "scipy.optimize", "scipy.stats", "sklearn"}
LONG = "select count(*) from range(10000000) as a (i), range(1000) as b (j) where i % 7 = j % 5"


@pytest.fixture
def ending(policy, tmp_path, monkeypatch):
    """``ending(body)`` runs the step extract with this body."""

    def run(body):
        monkeypatch.setattr(extract, "extract", lambda *inputs, **more: body())
        Run(RatingMonth(2026, 10), Settings(home=tmp_path), policy).extract()

    return run


def test_a_full_disk_is_one_line_that_names_the_folder(ending, tmp_path):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LakeError) as raised:
        ending(full)
    assert str(raised.value) == (
        f"2026-10 extract: no space is left on the disk of {tmp_path}; readers keep what is published, make room and "
        "run again"
    )


def test_too_little_memory_names_the_setting(ending):
    def list_all():
        database = duckdb.connect(config={"memory_limit": "20MB", "threads": 1})
        database.execute("select list(i) from range(40000000) as t (i)")

    with pytest.raises(ConfigError, match=r"^GRIDGRADE_MEMORY_LIMIT is too small for this step"):
        ending(list_all)


def test_an_interrupt_within_a_query_is_an_interrupt(ending):
    database = duckdb.connect()
    threading.Timer(0.3, database.interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        ending(lambda: database.execute(LONG))


def test_anything_else_is_left_to_who_called(ending):
    def wrong():
        raise ZeroDivisionError(Path.home())

    with pytest.raises(ZeroDivisionError):
        ending(wrong)


def test_who_scores_does_not_wait_for_what_fits():
    imports = f"import {', '.join(SCORING)}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True)
    assert not SLOW_TO_LOAD & set(loaded.stdout.split())
