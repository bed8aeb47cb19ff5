"""Months of a large utility, step by step, beside what the same work costs by hand and in plain pandas.

    make bench                                          500, 250,000 and 1,000,000 customers, 16 months
    make bench ARGS="--customers 100000"                one size; several are written one after the other
    make bench ARGS="--customers 10000000"              where the disk allows; it says how much is needed
    make bench ARGS="--repeat 3"                        medians of three months after the first

Every step runs in a process of its own, as a task of Airflow does, so its seconds include starting Python and its
memory is the peak of that process. CPU seconds are those of the step and of PostgreSQL: unlike the seconds on the
clock they hardly depend on what else the machine does. Import seconds are what Python spends on imports, in whichever
moment of the step. Steps follow each other as in dags/credit_rating.py, which groups the customers while others are
graded. The first month is rated from an empty lake (all of the history is extracted and checked, and models are
trained), each other one as every month after that. PostgreSQL's own memory is not in the figures; its seconds while
two steps run side by side are in the figures of both, and once in those of the month.

Each step of a month after the first is followed by its floor (benchmarks/floors/): the same work written by hand for
this one purpose, on the same lake and databases, also in a process of its own. What it gives is compared with what the
step gave; where they differ, the benchmark ends with exit code 1 and says so. A floor finds in memory what the step has
read. ``grade`` runs once more for its floor, alone. A month's memory is that of the steps that may run at once, added
up: ``group`` with one of those beside it, ``monitor`` with one of the actions.

Everything lies in GRIDGRADE_HOME, .gridgrade/benchmark unless set otherwise, in a folder for each size. The source
stays there and is used again by the next run of the same size; lake and warehouse start empty. Results go to
results.json there, and to the screen.
"""

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import floors, measure, peak_mb, result_alone, results
from benchmarks.home import empty_lake_and_warehouse, filled_source, home, refuse_other_homes, require_space

BEFORE_MODEL = ("extract", "validate", "compute_indices")
FOLLOWING = ("monitor", "decide_actions", "propose_rebates")


def run(customers: int, months: int, repeat: int) -> dict[str, Any]:
    """All months of one size; the source has ``months`` months when the first of those after it is rated."""
    from pipeline.local.databases import with_databases
    from pipeline.local.postgres import EmbeddedPostgres
    from pipeline.sample import LAST
    from pipeline.settings import Settings

    settings = with_databases(Settings.load())
    sample = filled_source(settings, customers, months + repeat - 1)
    empty_lake_and_warehouse(settings)
    first = rated(str(LAST - repeat))
    after = [rated(str(LAST - back), with_floors=True) for back in reversed(range(repeat))]
    pandas = measure.step("pandas", str(LAST))
    EmbeddedPostgres.stop(settings.home / "postgres")
    return {
        "customers": customers,
        "months": months,
        "machine": f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}",
        "sample": sample,
        "first_month": first,
        "months_after": after,
        "pandas": pandas,
        **results.summary(after, pandas),
    }


def rated(month: str, with_floors: bool = False) -> dict[str, Any]:
    """What each step of a month takes, what they take together, and what the floors do."""
    steps: dict[str, Any] = {}
    against: dict[str, Any] = {}

    def measure_floor(ours: dict[str, Any], name: str) -> None:
        if with_floors and name in floors.STEPS:
            against[name] = {"ours": ours, "floor": measure.floor(name, month, ours)}

    def step(name: str) -> None:
        steps[name] = measure.step(name, month)
        measure_floor(steps[name], name)

    for name in BEFORE_MODEL:
        step(name)
    started, used = time.perf_counter(), measure.cpu_seconds()
    with ThreadPoolExecutor(1) as pool:
        grouping = pool.submit(measure.step, "group", month)
        steps["model"] = measure.step("model", month)
        chosen = {key: steps["model"]["result"][key] for key in ("models", "promotes", "decision")}
        for name in ("grade", "sensitivity"):
            steps[name] = measure.step(name, month, chosen)
        steps["group"] = grouping.result()
    side_by_side = {"seconds": time.perf_counter() - started, "cpu_seconds": measure.cpu_seconds() - used}
    if with_floors:
        measure_floor(measure.step("grade", month, chosen), "grade")
    step("publish")
    for name in FOLLOWING:
        step(name)
    return {"month": month, "steps": steps, "floors": against, **results.together(steps, side_by_side)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[500, 250_000, 1_000_000], metavar="N")
    parser.add_argument("--months", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="months after the first: medians of them")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--month", help=argparse.SUPPRESS)
    parser.add_argument("--chosen", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        from benchmarks.steps import step

        with result_alone() as output:
            result = step(asked.step, asked.month, asked.chosen)
            json.dump({"result": result, "peak_mb": peak_mb()}, output, default=str)
        return
    sizes, above = sorted(set(asked.customers)), home()
    require_space(sizes, asked.months + asked.repeat - 1)
    measured = []
    for customers in sizes:
        os.environ["GRIDGRADE_HOME"] = str(above / str(customers))
        refuse_other_homes(home())
        print(f"{customers:,} customers", flush=True)
        measured.append(run(customers, asked.months, asked.repeat))
        results.keep(measured, above)
    results.show(measured)
    if differ := results.differences(measured):
        sys.exit("\n".join(["not the same was done:", *differ]))


if __name__ == "__main__":
    main()
