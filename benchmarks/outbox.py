"""An outbox of a million actions: decided, approved and dispatched to the work queue.

    python -m benchmarks.outbox                       250,000 and 1,000,000 actions, 200,000 of them dispatched
    python -m benchmarks.outbox --actions 100000

Every step runs in a process of its own. Prints the seconds on the clock, the CPU seconds of the process and of
PostgreSQL, and the peak memory of the process and of PostgreSQL's session (without the buffers that all sessions
share). Where a step is linear, four times the actions take four times the CPU seconds. Works in the folder outbox of
GRIDGRADE_HOME, .gridgrade/benchmark unless set otherwise, and leaves its outbox empty.
"""

import argparse
import json
import multiprocessing
import os
import resource
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

from benchmarks.home import home, refuse_other_homes
from benchmarks.measure import postgres_cpu_seconds

DISPATCHED = 200_000
# What an action of a measure looks like; a fifth or less of them is to be dispatched.
ACTIONS = """
select
    case when i < :dispatched then 'visit' else 'late_fee' end as action_type,
    'C' || lpad(cast(i as varchar), 9, '0') as customer_id,
    'grade D, 150.50 overdue for 73 days' as reason,
    '{"grade": "D", "amount_overdue": "150.50", "days_past_due": 73}' as payload,
    cast(null as varchar) as blocked_by,
    '["visit", "C' || lpad(cast(i as varchar), 9, '0') || '", "2026-08-20"]' as name
from range(:actions) as r (i)
"""


def settings() -> Any:
    from pipeline.local.databases import with_databases
    from pipeline.settings import Settings

    return with_databases(Settings.load())


def empty() -> None:
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.migrations import migrate

    migrate(settings())
    with transaction(settings()) as connection:
        connection.execute(text("truncate ops.publications, ops.service_actions, ops.service_action_events cascade"))


def decide(actions: int) -> None:
    """Load the actions and compare them with an outbox that has none of them, or all."""
    import duckdb

    from pipeline.actions.outbox import propose
    from pipeline.month import RatingMonth
    from pipeline.warehouse import publications
    from pipeline.warehouse.connection import bulk_transaction, transaction
    from pipeline.warehouse.publications import Publication

    with transaction(settings()) as connection:
        found = publications.latest(connection)
        if found is None:
            hashes = dict.fromkeys(("content_sha256", "input_sha256", "policy_sha256", "model_sha256"), "0")
            run = {"basis": "as_known_then", "rows": 0, "model_versions": {}, "run_id": "b", "run_kind": "manual"}
            found = publications.record(
                connection, Publication(uuid.uuid4(), RatingMonth(2026, 10), 1, **run, **hashes)
            )
    made = duckdb.sql(
        propose.identified(f"({ACTIONS})").sql(),
        params=propose.NAMESPACE | {"actions": actions, "dispatched": min(actions // 5, DISPATCHED)},
    )
    with bulk_transaction(settings()) as warehouse, warehouse.cursor() as cursor:
        propose.load(cursor, made.to_arrow_reader(100_000))
        propose.write(cursor, found)


def approve(actions: int) -> None:
    from pipeline.actions.outbox.approval import Chosen, approve
    from pipeline.policy import Policy

    approve(settings(), Policy.load(), Chosen(action_type="visit"), "benchmark")


def dispatch(actions: int) -> None:
    from pipeline.actions.outbox.dispatch import dispatch
    from pipeline.policy import Policy

    outcome = dispatch(settings(), Policy.load())
    if outcome["dispatched"]["queue"] != min(actions // 5, DISPATCHED):
        raise SystemExit(f"not all went out: {outcome}")


STEPS = {"decide": decide, "decide the same again": decide, "approve": approve, "dispatch": dispatch}


def measured(name: str, actions: int, answer: Any) -> None:
    """Run a step in this process and answer with its seconds, CPU seconds and peak memory in MB."""
    started, served = time.perf_counter(), postgres_cpu_seconds()
    STEPS[name](actions)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    answer.put(
        {
            "seconds": round(time.perf_counter() - started, 1),
            "cpu_seconds": round(cpu + postgres_cpu_seconds() - served, 1),
            "peak_mb": usage.ru_maxrss // 1024,
        }
    )


def session_peak_mb(ended: threading.Event) -> list[int]:
    """A list whose one number grows to the most memory of its own that a session of PostgreSQL has."""
    import psutil

    peak = [0]
    server = psutil.Process(int((home() / "postgres/data/postmaster.pid").read_text().split()[0]))

    def watch() -> None:
        while not ended.wait(0.1):
            for session in server.children():
                with suppress(psutil.NoSuchProcess):
                    memory = session.memory_info()
                    peak[0] = max(peak[0], (memory.rss - memory.shared) // 2**20)

    threading.Thread(target=watch, daemon=True).start()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--actions", type=int, action="append")
    asked = parser.parse_args()
    os.environ["GRIDGRADE_HOME"] = str(home() / "outbox")
    refuse_other_homes(home())
    start = multiprocessing.get_context("spawn")
    for actions in asked.actions or (250_000, 1_000_000):
        empty()
        for name in STEPS:
            answer, ended = start.Queue(), threading.Event()
            peak = session_peak_mb(ended)
            process = start.Process(target=measured, args=(name, actions, answer))
            process.start()
            process.join()
            ended.set()
            if process.exitcode:
                raise SystemExit(f"{name} failed")
            found = answer.get() | {"session_peak_mb": peak[0]}
            print(f"{actions:>9,} actions, {name:22} {json.dumps(found)}", flush=True)
    empty()


if __name__ == "__main__":
    main()
