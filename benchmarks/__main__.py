"""One month of a large utility, step by step, and the same indices in plain pandas beside it.

    make bench                                        1 million customers, 16 months
    make bench ARGS="--customers 100000"              a smaller one

Every step runs in a process of its own, as a task of Airflow does, so its seconds include starting Python and its
memory is the peak of that process. CPU seconds are those of the step and of PostgreSQL: unlike the seconds on the
clock they hardly depend on what else the machine does. Steps follow each other as in dags/credit_rating.py, which
groups the customers while others are graded. Two months are rated: the first from an empty lake (all of the history is
extracted and checked, and models are trained), the next as every month after that. PostgreSQL's own memory is not in
the figures; its seconds while two steps run side by side are in the figures of both, and once in those of the month.

Everything lies in GRIDGRADE_HOME, .gridgrade/benchmark unless set otherwise. The source stays there and is used again
by the next run of the same size; lake and warehouse start empty. Results go to benchmarks/results/month.json and to
the screen.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

# Apart from the demo's, unless set otherwise, and never anybody's own databases; the steps' processes inherit it.
os.environ.setdefault("GRIDGRADE_HOME", str(Path(__file__).resolve().parent.parent / ".gridgrade" / "benchmark"))
for own in ("GRIDGRADE_SOURCE_URL", "GRIDGRADE_WAREHOUSE_URL", "GRIDGRADE_LAKE"):
    os.environ.pop(own, None)

HERE = Path(__file__).resolve().parent
PANDAS_READS = {
    "customers": "customer_id segment feeder_id connected_on closed_on contract_capacity_kva has_reactive_compensation",
    "bills": "bill_id customer_id billing_month period_start period_end issued_on due_on amount kwh kvarh "
    "is_estimated cancels_bill_id",
    "payments": "payment_id customer_id bill_id paid_on amount reverses_payment_id",
    "arrears": "customer_id as_of days_past_due recorded_at",
    "collection_events": "customer_id event_type occurred_on",
    "violations": "customer_id violation_type detected_on",
    "financial_statements": "statement_id customer_id period_end published_on total_assets total_liabilities "
    "current_assets current_liabilities net_profit average_net_assets loans_due loans_repaid_on_schedule recorded_at",
    "calibrations": "customer_id due_on performed_on",
    "grid_accidents": "customer_id occurred_on severity customer_minutes_lost is_customer_caused",
    "social_credit_ratings": "customer_id rating valid_from valid_to recorded_at",
    "satisfaction_surveys": "customer_id dimension surveyed_on expectation perception satisfaction",
    "outages": "feeder_id starts_at",
    "service_contacts": "contact_id customer_id contact_type contacted_at",
}
BEFORE_MODEL = ("extract", "validate", "compute_indices")
FOLLOWING = ("monitor", "decide_actions", "propose_rebates")


def step(name: str, month_text: str, chosen: dict[str, Any] | None) -> dict:
    """Run one step here; what it returns."""
    from pipeline.local.databases import with_databases
    from pipeline.month import RatingMonth
    from pipeline.policy import Policy
    from pipeline.run import Run
    from pipeline.settings import Settings

    settings = with_databases(Settings.load())
    run = Run(RatingMonth.parse(month_text), settings, Policy.load(settings.policy))
    if name == "pandas":
        return {"rows": plain_pandas(*run.inputs)}
    if name == "model":
        decision = run.choose_model()
        return run.retrain(decision) if decision["mode"] == "retrain" else run.apply(decision)
    return getattr(run, name)(*([chosen] if chosen else []))


def plain_pandas(month, settings, policy) -> int:
    """The month's indices from the same partitions; fails where they differ from those the engine wrote."""
    import duckdb
    import pandas as pd

    from pipeline.lake import Lake, fact_key
    from tests.support.pandas_indices import indices

    lake = Lake(settings.lake_path)
    tables = {}
    for name, columns in PANDAS_READS.items():
        months = [month] if fact_key(name) == "snapshot_month" else [m for m in lake.facts(name) if m <= month]
        if not months:
            continue
        files = [path for path, _ in lake.fact_files(name, months)]
        frame = pd.concat([pd.read_parquet(path, columns=columns.split()) for path in files], ignore_index=True)
        for column in frame.columns:
            if column.endswith(("_on", "_month", "_start", "_end")) or column in ("as_of", "valid_from", "valid_to"):
                frame[column] = pd.to_datetime(frame[column])
        tables[name] = frame
    by_pandas = indices(tables, month, policy)
    files = lake.files("indices", rating_month=month, basis="as_known_then")
    by_engine = duckdb.read_parquet(files).df().set_index("customer_id").loc[by_pandas.index, by_pandas.columns]
    pd.testing.assert_frame_equal(by_pandas.astype("float64"), by_engine, check_dtype=False, rtol=1e-9, atol=1e-9)
    return len(by_pandas)


def measured(name: str, month: str, chosen: dict[str, Any] | None = None) -> dict:
    """Seconds, CPU seconds and peak memory of a step in a process of its own."""
    started, served = time.perf_counter(), postgres_cpu_seconds()
    command = [sys.executable, "-m", "benchmarks", "--step", name, "--month", month, "--chosen", json.dumps(chosen)]
    process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"benchmark step {name} of {month} failed")
    seconds = time.perf_counter() - started
    cpu = usage.ru_utime + usage.ru_stime + postgres_cpu_seconds() - served
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(f"{month} {name:16} {seconds:8.1f} s {cpu:8.1f} s CPU {peak:8.0f} MB", flush=True)
    return {
        "step": name,
        "month": month,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(peak),
        "result": json.loads(output),
    }


def steps_cpu_seconds() -> float:
    """Of all steps that have ended, and of PostgreSQL."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + postgres_cpu_seconds()


def postgres_cpu_seconds() -> float:
    """Of the embedded server and all sessions it has had; 0 where it does not run."""
    import psutil

    try:
        server = psutil.Process(int((home() / "postgres/data/postmaster.pid").read_text().split()[0]))
        sessions, seconds = server.children(), sum(server.cpu_times()[:4])
    except (OSError, psutil.NoSuchProcess):
        return 0.0
    for session in sessions:
        with suppress(psutil.NoSuchProcess):
            seconds += sum(session.cpu_times()[:2])
    return seconds


def home() -> Path:
    return Path(os.environ["GRIDGRADE_HOME"]).absolute()


def run(customers: int, months: int) -> dict:
    from pipeline.local.databases import with_databases
    from pipeline.sample import LAST
    from pipeline.settings import Settings

    refuse_other_homes(home())
    settings = with_databases(Settings.load())
    sample = filled_source(settings, customers, months)
    empty_lake_and_warehouse(settings)
    first, steady = rated(str(LAST - 1)), rated(str(LAST))
    pandas = measured("pandas", str(LAST))
    engine = steady["steps"]["compute_indices"]
    return {
        "customers": customers,
        "months": months,
        "machine": f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}",
        "sample": sample,
        "first_month": first,
        "month": steady,
        "pandas": pandas,
        "pandas_over_engine": round(pandas["seconds"] / engine["seconds"], 1),
    }


def refuse_other_homes(folder: Path) -> None:
    """A benchmark empties its home: it has to be new, or one that a benchmark made."""
    note = folder / "source.json"
    if not folder.exists():
        folder.mkdir(parents=True)
        note.write_text("{}", encoding="utf-8")
    if not note.is_file():
        sys.exit(f"{folder} was not made by a benchmark, which empties it: set GRIDGRADE_HOME to another folder")


def filled_source(settings: Any, customers: int, months: int) -> dict:
    """The source of this size, made anew unless an earlier run left it; seconds it took and rows by table."""
    from pipeline.sample import fill_source

    note, size = settings.home / "source.json", {"customers": customers, "months": months}
    made = json.loads(note.read_text())
    if size.items() <= made.items():
        print(f"using the source in {settings.home}", flush=True)
        return made
    note.write_text("{}", encoding="utf-8")
    started = time.perf_counter()
    rows = fill_source(settings, customers, months, progress=lambda month, *_: print(f"made {month}", flush=True))
    made = size | {"seconds": round(time.perf_counter() - started, 1), "rows": rows}
    note.write_text(json.dumps(made), encoding="utf-8")
    return made


def empty_lake_and_warehouse(settings: Any) -> None:
    from sqlalchemy import text

    from pipeline.warehouse.connection import transaction
    from pipeline.warehouse.migrations import migrate

    for folder in (settings.lake_path, settings.data_docs_path):
        shutil.rmtree(folder, ignore_errors=True)
    with transaction(settings) as connection:
        connection.execute(text("drop schema if exists rating, ops, report cascade"))
    migrate(settings)


def rated(month: str) -> dict:
    """What each step of a month takes, and what they take together from ``extract`` to ``publish``."""
    started, used = time.perf_counter(), steps_cpu_seconds()
    first = {name: measured(name, month) for name in BEFORE_MODEL}
    with ThreadPoolExecutor(1) as beside:
        grouping = beside.submit(measured, "group", month)
        graded = {"model": measured("model", month)}
        chosen = {key: graded["model"]["result"][key] for key in ("models", "promotes", "decision")}
        graded |= {name: measured(name, month, chosen) for name in ("grade", "sensitivity")}
        group = grouping.result()
    publish = measured("publish", month)
    at_once = group["peak_mb"] + max(part["peak_mb"] for part in graded.values())
    together = {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(steps_cpu_seconds() - used, 2),
        "peak_mb": max(at_once, *(part["peak_mb"] for part in (*first.values(), publish))),
    }
    following = {name: measured(name, month) for name in FOLLOWING}
    steps = {**first, **graded, "group": group, "publish": publish, **following}
    return {"month": month, "extract_to_publish": together, "steps": steps}


def show(figures: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{figures['customers']:,} customers: seconds, CPU seconds, peak MB")
    for heading in ("step", "from an empty lake", "", "", "every month after", "", ""):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    sides = (figures["first_month"], figures["month"])
    for name in sides[0]["steps"]:
        table.add_row(name, *(cell for side in sides for cell in _cells(side["steps"][name])))
        if name == "publish":
            together = (cell for side in sides for cell in _cells(side["extract_to_publish"]))
            table.add_row("extract to publish", *together, end_section=True, style="bold")
    Console().print(table)
    pandas = figures["pandas"]
    print(
        f"the same indices in plain pandas: {pandas['seconds']:,.1f} s, {pandas['peak_mb']:,} MB, "
        f"{figures['pandas_over_engine']} times as long"
    )


def _cells(part: dict) -> tuple[str, str, str]:
    return f"{part['seconds']:,.1f}", f"{part['cpu_seconds']:,.1f}", f"{part['peak_mb']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--months", type=int, default=16)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--month", help=argparse.SUPPRESS)
    parser.add_argument("--chosen", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(step(asked.step, asked.month, asked.chosen), default=str))
        return
    figures = run(asked.customers, asked.months)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "month.json").write_text(json.dumps(figures, indent=1, default=str), encoding="utf-8")
    show(figures)


if __name__ == "__main__":
    main()
