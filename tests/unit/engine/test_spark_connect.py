"""A Spark server elsewhere: the same results through Spark Connect."""

import multiprocessing
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pipeline.maintenance.cases import OURS
from tests.support.spark import faults_over

pytestmark = pytest.mark.spark

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
CASES = ("facts/arrears_register", "facts/credited", "indices/service")


@pytest.fixture
def server(spark_settings, tmp_path):
    """The address of a server of its own."""
    import pyspark

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"spark.connect.grpc.binding.port": port, "spark.ui.enabled": "false", "spark.local.dir": tmp_path}
    command = [Path(pyspark.__file__).parent / "bin" / "spark-submit", "--class", SERVER, "--master", "local[2]"]
    command += [part for name, value in own.items() for part in ("--conf", f"{name}={value}")]
    with subprocess.Popen(
        [*command, "spark-internal"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield f"sc://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_the_cases_worked_out_by_hand_through_a_server(server, tmp_path):
    paths = [path for folder in CASES for path in sorted((OURS / "lake" / folder).glob("*.yaml"))]
    assert len(paths) >= len(CASES)
    # A process is either a client of servers or Spark itself, and this one is that.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        assert process.submit(faults_over, server, tmp_path, paths).result() == dict.fromkeys(paths)
