"""A standalone cluster, driven by a process of little memory: what that cannot hold is refused, or never comes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.spark_cluster import cluster
from pipeline.engine import open_engine
from pipeline.engine.queries import compose
from pipeline.errors import ConfigError
from pipeline.maintenance.cases import OURS
from pipeline.settings import Settings
from tests.support.spark import faults_over

pytestmark = pytest.mark.spark

ROWS = 300_000
DRIVER = {
    "spark.driver.memory": "480m",
    "spark.driver.maxResultSize": "2m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "1g",
    "spark.ui.enabled": "false",
}


@pytest.fixture(scope="module")
def where(spark_settings, tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster"), memory="1g") as address:
        yield address


@pytest.fixture
def small_driver(tmp_path, monkeypatch):
    """Processes that begin from now on drive Spark with little memory, and take no more than 2 MB of a query."""
    (tmp_path / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in DRIVER.items()))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield process


def test_the_cases_worked_out_by_hand_on_a_cluster(small_driver, where, tmp_path):
    paths = sorted((OURS / "lake" / "facts" / "credited").glob("*.yaml"))
    assert paths
    assert small_driver.submit(faults_over, where, tmp_path, paths).result() == dict.fromkeys(paths)


def test_what_the_driver_cannot_hold_is_written_streamed_and_joined_and_never_fetched(small_driver, where, tmp_path):
    found = small_driver.submit(_large_results, where, tmp_path).result()
    assert found.pop("fetched") == (
        "Spark would send a result to the step's process that is larger than spark.driver.maxResultSize; if it is set "
        "lower than 1g in spark-defaults.conf, raise it"
    )
    assert found == {"written": ROWS, "streamed": ROWS, "kept and joined": ROWS, "joined by a few": 3}


def _large_results(where: str, home: Path) -> dict:
    """What becomes of a result, and of two sides of a join, that are larger than the driver takes."""
    found = {}
    with open_engine(Settings(home=home, engine="spark", spark=where)) as engine:
        ids = pa.array(range(ROWS))
        pq.write_table(pa.table({"customer_id": ids, "name": ids.cast(pa.string())}), home / "ids.parquet")
        engine.bind_files("ids", [str(home / "ids.parquet")])
        numbers = compose("select customer_id, md5(name) as name from ids")
        found["written"] = engine.write(numbers, {}, home / "one.parquet")
        found["streamed"] = sum(batch.num_rows for batch in engine.batches(numbers))
        engine.bind_files("one", [str(home / "one.parquet")])
        engine.keep("other", numbers)
        joined = compose("select o.customer_id from one as o inner join other as n on n.customer_id = o.customer_id")
        found["kept and joined"] = engine.write(joined, {}, home / "joined.parquet")
        engine.bind_table("few", pa.table({"customer_id": [1, 2, 3]}))
        few = engine.fetch(compose("select o.name from one as o inner join few as f on f.customer_id = o.customer_id"))
        found["joined by a few"] = few.num_rows
        try:
            engine.fetch(numbers)
        except ConfigError as error:
            found["fetched"] = str(error)
    return found
