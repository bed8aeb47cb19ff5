"""A standalone Spark cluster on loopback: a master and a worker, whose executors are processes of their own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from pipeline.local.airflow import end_processes, free_port

MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
HOST, START_SECONDS = "127.0.0.1", 120


@contextmanager
def cluster(folder: Path, *, cores: int = 2, memory: str = "3g") -> Iterator[str]:
    """Its address. Logs and executors' files go to ``folder``; ``cores`` and ``memory`` are what the worker gives to
    executors. TimeoutError where it does not start."""
    port, pages = free_port(), free_port()
    address = f"spark://{HOST}:{port}"
    with ExitStack() as running:
        at = ["--host", HOST, "--port", str(port), "--webui-port", str(pages)]
        running.enter_context(_process(folder, MASTER, at))
        _wait(lambda: _workers(pages) is not None)
        given = ["--host", HOST, "--webui-port", "0", "--cores", str(cores), "--memory", memory]
        running.enter_context(_process(folder, WORKER, [*given, "--work-dir", str(folder / "work"), address]))
        _wait(lambda: _workers(pages) == 1)
        yield address


@contextmanager
def _process(folder: Path, name: str, arguments: list[str]) -> Iterator[None]:
    import pyspark

    folder.mkdir(parents=True, exist_ok=True)
    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    environment = os.environ | {"SPARK_LOCAL_IP": HOST, "SPARK_LOCAL_DIRS": str(folder / "local")}
    with (folder / f"{name.rpartition('.')[2].lower()}.log").open("wb") as log:
        process = subprocess.Popen(
            [spark_class, name, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        end_processes([process.pid])
        process.wait()


def _workers(pages: int) -> int | None:
    """How many workers the master knows; None while it does not answer."""
    with suppress(OSError, ValueError), urlopen(f"http://{HOST}:{pages}/json/", timeout=5) as answer:
        return json.load(answer)["aliveworkers"]
    return None


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError("the Spark cluster does not start: see its logs")
        time.sleep(0.2)
