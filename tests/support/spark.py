"""Spark beside DuckDB, for tests of marker ``spark``."""

import math
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import Engine, open_engine
from pipeline.maintenance.cases import fault
from pipeline.settings import Settings

Row = dict[str, Any]
TOLERANCE = 1e-9
# Tests run many small queries once: the JVM's second compiler would work longer on them than they do. Without it the
# room for compiled code is a fifth, and the queries of a month fill it.
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory) -> Settings:
    """Spark in this process; a test that asks for it is skipped where PySpark or Java is not installed."""
    if find_spec("pyspark") is None or not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("make test-spark installs PySpark; it needs a JRE")
    os.environ.setdefault("JAVA_TOOL_OPTIONS", QUICK_START)
    return Settings(home=tmp_path_factory.mktemp("spark"), engine="spark", threads=2, memory_limit="1500MB")


@pytest.fixture(scope="session")
def spark(spark_settings) -> Iterator[Engine]:
    with open_engine(spark_settings) as engine:
        yield engine


def faults_over(where: str, home: Path, paths: list[Path]) -> dict[Path, str | None]:
    """What is wrong with each case on the Spark that is there."""
    with open_engine(Settings(home=home, engine="spark", spark=where)) as engine:
        return {path: fault(engine, path) for path in paths}


def differences(one: list[Row], other: list[Row]) -> list[str]:
    """Where two results are apart: a float by more than the tolerance, anything else at all. Their order is free."""
    if len(one) != len(other):
        return [f"{len(one)} rows and {len(other)}"]
    return [
        f"{name}: {row.get(name)!r} and {twin.get(name)!r}"
        for row, twin in zip(sorted(one, key=_order), sorted(other, key=_order), strict=True)
        for name in row.keys() | twin.keys()
        if not _is_same(row.get(name), twin.get(name))
    ]


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    return bool(one == other) and isinstance(one, float) == isinstance(other, float)


def _order(row: Row) -> tuple:
    """Exact values first, so that rows which differ by a float's end meet."""
    exact = [value for value in row.values() if not isinstance(value, float | dict)]
    return tuple(map(_text, exact)), tuple(round(value, 6) for value in row.values() if isinstance(value, float))


def _text(value: Any) -> str:
    return f"{value:+040}" if isinstance(value, int | Decimal) else str(value)
