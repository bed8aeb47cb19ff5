"""Many months in one go: by the command line, and the same months through Airflow.

    python -m benchmarks.backfill                                  24 months of 20,000 customers
    python -m benchmarks.backfill --customers 5000 --months 6
    python -m benchmarks.backfill --airflow 5                      and the last 5 of them both ways, from an empty lake

Prints the seconds on the clock and the CPU seconds of all processes, PostgreSQL's with them. Airflow's seconds count
from its first run, not from its start; its CPU seconds are not measured. Works in the folder backfill of
GRIDGRADE_HOME, .gridgrade/benchmark unless set otherwise. To compare two versions, run both at the same time, each in a
checkout and a home of its own, and read the ratio.
"""

import argparse
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.home import ROOT, empty_lake_and_warehouse, filled_source, home, refuse_other_homes
from benchmarks.measure import cpu_seconds

HISTORY = 18
"""Months of records before the first one that is rated."""


def by_command(settings: Any, first: Any, last: Any) -> float:
    """Backfill the months; the seconds it took. One that stops half way is no measure: then the benchmark ends."""
    started, used = time.perf_counter(), cpu_seconds()
    command = [sys.executable, "-m", "pipeline.cli", "backfill", str(first), str(last)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode not in (0, 1):  # 1: published, but a model has passed a limit
        sys.exit(f"the backfill failed with {done.returncode}")
    seconds = time.perf_counter() - started
    require_published(settings, first, last)
    print(f"{first} to {last}: {seconds:8.1f} s {cpu_seconds() - used:8.1f} s CPU by gridgrade backfill", flush=True)
    return seconds


def require_published(settings: Any, first: Any, last: Any) -> None:
    """End where readers do not see one of the months."""
    from pipeline.errors import NotPublishedError
    from pipeline.month import RatingMonth
    from pipeline.warehouse import publications
    from pipeline.warehouse.connection import transaction

    try:
        with transaction(settings) as connection:
            for month in RatingMonth.span(first, last):
                publications.of_month(connection, month)
    except NotPublishedError as error:
        sys.exit(str(error))


def through_airflow(settings: Any, first: Any, last: Any) -> float:
    """The same months one after the other through Airflow's scheduler; the seconds they took."""
    from pipeline.local import airflow
    from pipeline.month import RatingMonth

    with airflow.running(settings) as api:
        started = time.perf_counter()
        for month in RatingMonth.span(first, last):
            earlier = set(api.run_ids("service_actions", str(month)))
            api.wait("credit_rating", api.trigger("credit_rating", str(month)), 3600)
            api.wait("service_actions", api.wait_for_run("service_actions", str(month), earlier), 3600)
        seconds = time.perf_counter() - started
    print(f"{first} to {last}: {seconds:8.1f} s through Airflow", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=20_000, metavar="N")
    parser.add_argument("--months", type=int, default=24, metavar="N", help="to rate")
    parser.add_argument("--airflow", type=int, default=0, metavar="N", help="of these, the last N through Airflow too")
    asked = parser.parse_args()
    os.environ["GRIDGRADE_HOME"] = str(home() / "backfill")
    refuse_other_homes(home())

    from pipeline.local.databases import with_databases
    from pipeline.local.postgres import EmbeddedPostgres
    from pipeline.sample import LAST
    from pipeline.settings import Settings

    settings = with_databases(Settings.load())
    filled_source(settings, asked.customers, asked.months + HISTORY)
    empty_lake_and_warehouse(settings)
    by_command(settings, LAST - (asked.months - 1), LAST)
    if asked.airflow:
        months = LAST - (asked.airflow - 1), LAST
        empty_lake_and_warehouse(settings)
        by_one_command = by_command(settings, *months)
        empty_lake_and_warehouse(settings)
        print(f"through Airflow / by gridgrade backfill: {through_airflow(settings, *months) / by_one_command:.2f}")
    EmbeddedPostgres.stop(settings.home / "postgres")


if __name__ == "__main__":
    main()
