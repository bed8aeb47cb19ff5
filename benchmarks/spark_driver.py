"""What reaches the process that runs a month's steps on a Spark cluster: its memory, and the heap of Spark's driver.

    python -m benchmarks.spark_driver                               20,000 and 200,000 customers, 16 months
    python -m benchmarks.spark_driver --customers 5000 20000 --heap 256m

The month after the first of a sample utility is rated on a standalone cluster on loopback, of one worker with an
executor, by a driver whose heap cannot grow past ``--heap``. By step: what the heap held, at its most, and the memory
of Python's side at its most, both in MB. Once a second Java collects what nobody holds any more in all of its heap, and
what is left then counts: its other collectors leave garbage until the heap is full, however large that is. Works in
the folder spark of GRIDGRADE_HOME, as benchmarks.spark does; results go to spark_driver.json there, and to the screen.
"""

import argparse
import json
import os
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.home import home, refuse_other_homes, require_space
from benchmarks.spark import child, logged, metrics
from benchmarks.spark_cluster import cluster

_COLLECTED = re.compile(r"\[([\d:T.+-]+)\]\S* GC\((\d+)\) (?:Concurrent cleanup|Pause Full.*?) \w+->(\d+)([KMG])\(")
_EVERY_SECOND = "-XX:+UseShenandoahGC -XX:+UnlockExperimentalVMOptions -XX:ShenandoahGuaranteedGCInterval=1000"
_MEGABYTES = {"K": 2**-10, "M": 1, "G": 2**10}


def measured(customers: int, months: int, heap: str, executor: str) -> dict[str, Any]:
    """One size: by step the heap and the memory, and what tasks sent to the driver."""
    child("prepare", customers, months, {})
    folder = home() / "spark-log"
    log = home() / "driver-heap.log"
    log.unlink(missing_ok=True)
    own = {
        "spark.driver.memory": heap,
        "spark.driver.extraJavaOptions": f"{_EVERY_SECOND} -Xlog:gc:file={log}:time:filecount=0",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": executor,
        "spark.ui.enabled": "false",
    }
    with cluster(home() / "spark-cluster") as where, logged(folder, where, own) as environment:
        found = child("rate", customers, months, environment)
    heaps = held(log, found["steps"])
    sent = metrics(folder, found["steps"])
    return {
        "customers": customers,
        "heap": heap,
        "steps": {
            step: {"heap_mb": heaps.get(step, 0), "python_mb": peak, "to_driver": sent[step]["to_driver"]}
            for step, peak in found["peak_mb"].items()
        },
    }


def held(log: Path, steps: dict[str, float]) -> dict[str, float]:
    """MB that the heap held at the end of a collection, at its most, by step; ``steps``: when each began."""
    ends: dict[str, tuple[float, float]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        if done := _COLLECTED.search(line):
            ends[done[2]] = datetime.fromisoformat(done[1]).timestamp(), int(done[3]) * _MEGABYTES[done[4]]
    found: dict[str, float] = defaultdict(float)
    for at, megabytes in ends.values():
        if began := {name: since for name, since in steps.items() if since <= at}:
            step = max(began, key=began.__getitem__)
            found[step] = max(found[step], megabytes)
    return found


def show(sizes: list[dict[str, Any]]) -> None:
    customers = ", ".join(f"{size['customers']:,}" for size in sizes)
    for name, title in (("heap_mb", "heap"), ("python_mb", "Python"), ("to_driver", "bytes that tasks sent")):
        print(f"\n{title}: at {customers} customers")
        for step in {step: None for size in sizes for step in size["steps"]}:
            print(f"{step:18} " + " ".join(f"{size['steps'].get(step, {}).get(name, 0):14,.0f}" for size in sizes))
        print(f"{'at most':18} " + " ".join(f"{max(s[name] for s in size['steps'].values()):14,.0f}" for size in sizes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 200_000], metavar="N")
    parser.add_argument("--months", type=int, default=16)
    parser.add_argument("--heap", default="480m", help="of the driver; Spark asks for 450 MB")
    parser.add_argument("--executor", default="2g", help="memory of the executor")
    asked = parser.parse_args()
    above, sizes = home() / "spark", []
    require_space(asked.customers, asked.months)
    for customers in sorted(set(asked.customers)):
        os.environ["GRIDGRADE_HOME"] = str(above / str(customers))
        refuse_other_homes(home())
        sizes.append(measured(customers, asked.months, asked.heap, asked.executor))
        (above / "spark_driver.json").write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    show(sizes)


if __name__ == "__main__":
    main()
