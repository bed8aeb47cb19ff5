"""docker-compose.yaml's profile spark, each service natively by its own command, and a query through them."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import pytest

from pipeline.maintenance.cases import OURS
from tests.support.compose import Native, make_secrets
from tests.support.spark import faults_over

pytestmark = pytest.mark.spark


@pytest.fixture
def native(spark_settings, tmp_path):
    """The master and a worker, healthy."""
    (tmp_path / "project").mkdir()
    secrets = make_secrets(tmp_path)
    (secrets / "gridgrade_source_url").write_text("postgresql://nobody@127.0.0.1/nothing")
    services = Native(tmp_path, secrets, tmp_path / "project", SimpleNamespace(port=0), tmp_path)
    try:
        for name in ("spark-master", "spark-worker"):
            services.start(name)
            services.wait_until_healthy(name)
        yield services
    finally:
        services.stop()


def test_a_task_runs_its_queries_there(native, monkeypatch):
    paths = sorted((OURS / "lake" / "facts" / "arrears_register").glob("*.yaml"))
    assert paths
    for name in ("PYSPARK_SUBMIT_ARGS", "JAVA_TOOL_OPTIONS"):
        monkeypatch.setenv(name, native.environment("worker")[name])
    home, where = native.folder / "state", f"spark://127.0.0.1:{native.spark}"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        assert process.submit(faults_over, where, home, paths).result() == dict.fromkeys(paths)
    assert list(native.place("spark-worker").rglob("app-*/*/stderr")), "an executor ran there"
