"""Spark beside DuckDB: a month on both, query by query, and what Spark's own metrics say it reads and shuffles.

    python -m benchmarks.spark                                 5,000, 10,000 and 20,000 customers, 16 months
    python -m benchmarks.spark --customers 50000 100000 200000

The month after the first of a sample utility is rated by DuckDB and by Spark (GRIDGRADE_SPARK, local[2] unless set
otherwise), each in a process of its own, from the same extracted records; models are applied, not trained. CPU seconds
are those of the process and of its Java, whose start and compilation are in them. A query that a step runs several
times is one line. Rows, bytes and spills are from Spark's event log: of all tasks of the step.

Between two sizes a figure is taken to be a fixed part and one in proportion to the customers; what follows for 10, 60
and 500 million is reckoned from the two largest sizes, and not measured. Works in the folder spark of GRIDGRADE_HOME,
.gridgrade/benchmark unless set otherwise; results go to spark.json there, and to the screen.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks import forget_peak, peak_mb, result_alone
from benchmarks.home import ROOT, empty_lake_and_warehouse, filled_source, home, refuse_other_homes, require_space
from benchmarks.measure import tree_cpu_seconds

ENGINES = ("duckdb", "spark")
REACHED = (10_000_000, 60_000_000, 500_000_000)
MILLION = 1_000_000
METRICS = ("rows_read", "bytes_read", "shuffled", "spilled", "to_driver", "bytes_written", "task_seconds")
SLOWEST = 15


def inputs() -> tuple[Any, Any]:
    from pipeline.local.databases import with_databases
    from pipeline.policy import Policy
    from pipeline.settings import Settings

    settings = with_databases(Settings.load(threads=2))
    return settings, Policy.load(settings.policy)


def prepare(customers: int, months: int) -> None:
    """The month before, rated, and the records of the month, extracted."""
    from pipeline.cycle import rate_month
    from pipeline.run import Run
    from pipeline.sample import LAST

    settings, policy = inputs()
    filled_source(settings, customers, months)
    empty_lake_and_warehouse(settings)
    rate_month(LAST - 1, settings, policy)
    Run(LAST, settings, policy).extract()


def rate() -> dict[str, Any]:
    """The month, by the engine of the settings: CPU seconds by query; of each step when it began, and the memory of
    this process at its most."""
    from pipeline.customers.accounts import TABLES
    from pipeline.cycle import rate_month
    from pipeline.sample import LAST

    settings, policy = inputs()
    for derived in ("quarantine", *TABLES):  # or this engine would find what the other left
        shutil.rmtree(settings.lake_path / derived, ignore_errors=True)
    calls: Counter[str] = Counter()
    steps: dict[str, float] = {}
    peaks: dict[str, float] = {}
    watch_engine(settings.engine, lambda query, used: calls.update({f"{list(steps)[-1]}: {query}": used}))

    def advance(done: int, of: int, what: str) -> None:
        if steps:
            peaks[list(steps)[-1]] = peak_mb()
        if (step := what.split()[1]) not in steps:
            steps[step] = time.time()
            forget_peak()

    rate_month(LAST, settings, policy, mode="apply", accept_moves=True, advance=advance)
    return {"queries": dict(calls), "steps": steps, "peak_mb": peaks}


def watch_engine(name: str, used: Callable[[str, float], None]) -> None:
    """Have the engine say what each query took."""
    from pipeline.engine.duckdb import DuckDBEngine

    watched: Any = DuckDBEngine
    if name == "spark":
        from pipeline.engine.spark import SparkEngine as watched

    def timed(call: str, run: Callable) -> Callable:
        @wraps(run)
        def called(self: Any, *args: Any, **kwargs: Any) -> Any:
            query = next(argument for argument in args if hasattr(argument, "tables"))
            kept = args[0] if call == "keep" else ""
            before = tree_cpu_seconds()
            found = run(self, *args, **kwargs)
            if call == "batches":  # DuckDB has done nothing yet
                found = found.from_batches(found.schema, iter(found.read_all().to_batches()))
            used(" ".join([call, kept, "of", *sorted(query.tables)]), tree_cpu_seconds() - before)
            return found

        return called

    for call in ("fetch", "keep", "write", "batches"):
        setattr(watched, call, timed(call, getattr(watched, call)))


@contextmanager
def logged(folder: Path, where: str, own: dict[str, str] | None = None) -> Iterator[dict[str, str]]:
    """The environment in which Spark runs there, with these settings beside, and writes its events into the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "events").mkdir(parents=True)
    events = {"enabled": "true", "dir": (folder / "events").as_uri(), "compress": "false", "rolling.enabled": "false"}
    settings = {f"spark.eventLog.{name}": value for name, value in events.items()} | (own or {})
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    yield {"SPARK_CONF_DIR": str(folder), "GRIDGRADE_ENGINE": "spark", "GRIDGRADE_SPARK": where}


def metrics(folder: Path, steps: dict[str, float]) -> dict[str, Counter[str]]:
    """What the tasks of each step did, by the time at which they began."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    [log] = [path for path in (folder / "events").rglob("*") if path.is_file() and path.suffix != ".crc"]
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if '"SparkListenerTaskEnd"' not in line[:40] or "Task Metrics" not in (event := json.loads(line)):
                continue
            began, task = event["Task Info"]["Launch Time"] / 1000, event["Task Metrics"]
            step = max((name for name, at in steps.items() if at <= began), key=steps.__getitem__)
            found[step] += Counter(
                rows_read=task["Input Metrics"]["Records Read"],
                bytes_read=task["Input Metrics"]["Bytes Read"],
                shuffled=task["Shuffle Write Metrics"]["Shuffle Bytes Written"],
                spilled=task["Disk Bytes Spilled"],
                to_driver=task["Result Size"],
                bytes_written=task["Output Metrics"]["Bytes Written"],
                task_seconds=task["Executor CPU Time"] / 1e9,
            )
    return found


def measured(customers: int, months: int) -> dict[str, Any]:
    """One size: CPU seconds of every query by both engines, and what Spark did in every step."""
    child("prepare", customers, months, {})
    by_duckdb = child("rate", customers, months, {"GRIDGRADE_ENGINE": "duckdb"})
    with logged(home() / "spark-log", os.environ.get("GRIDGRADE_SPARK", "local[2]")) as environment:
        by_spark = child("rate", customers, months, environment)
    return {
        "customers": customers,
        "queries": {
            query: {"duckdb": by_duckdb["queries"].get(query), "spark": used}
            for query, used in by_spark["queries"].items()
        },
        "steps": metrics(home() / "spark-log", by_spark["steps"]),
    }


def child(part: str, customers: int, months: int, environment: dict[str, str]) -> Any:
    command = [sys.executable, "-m", "benchmarks.spark", "--part", part, "--months", str(months)]
    done = subprocess.run(
        [*command, "--customers", str(customers)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{part} of {customers:,} customers failed, see above")
    return json.loads(done.stdout)


def show(sizes: list[dict[str, Any]]) -> None:
    for size in sizes:
        print(f"\n{size['customers']:,} customers: CPU seconds, DuckDB and Spark")
        pairs = [(query, pair["duckdb"], pair["spark"]) for query, pair in size["queries"].items() if pair["duckdb"]]
        for query, duckdb, spark in sorted(pairs, key=lambda pair: -pair[2])[:SLOWEST]:
            print(f"{duckdb:8.2f} {spark:8.2f} {spark / max(duckdb, 0.01):7.1f} times  {query[:100]}")
        print(f"{sum(pair[1] for pair in pairs):8.2f} {sum(pair[2] for pair in pairs):8.2f} in all")
    for name in METRICS:
        print(f"\n{name}, by step; per customer, and for {', '.join(f'{reached:,}' for reached in REACHED)} reckoned")
        for step in {step: None for size in sizes for step in size["steps"]}:
            values = [size["steps"].get(step, {}).get(name, 0) for size in sizes]
            line = " ".join(f"{value:16,.0f}" for value in values)
            print(f"{step:18} {line}  {_reckoned([size['customers'] for size in sizes], values)}")


def _reckoned(customers: list[int], values: list[float]) -> str:
    if len(customers) < 2:
        return ""
    each = (values[-1] - values[-2]) / (customers[-1] - customers[-2])
    reached = (values[-1] + each * (size - customers[-1]) for size in REACHED)
    return f"{each:12,.3f} " + " ".join(f"{value:20,.0f}" for value in reached)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[5_000, 10_000, 20_000], metavar="N")
    parser.add_argument("--months", type=int, default=16)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        with result_alone() as output:
            result = prepare(asked.customers[0], asked.months) if asked.part == "prepare" else rate()
            json.dump(result, output)
        return
    above, sizes = home() / "spark", []
    require_space(asked.customers, asked.months)
    for customers in sorted(set(asked.customers)):
        os.environ["GRIDGRADE_HOME"] = str(above / str(customers))
        refuse_other_homes(home())
        sizes.append(measured(customers, asked.months))
        (above / "spark.json").write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    show(sizes)


if __name__ == "__main__":
    main()
