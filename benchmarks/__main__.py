"""One month of a large utility, step by step, and the same indices in plain pandas beside it.

    make bench                                        1 million customers, 16 months
    make bench ARGS="--customers 100000"              a smaller one

Every step runs in a process of its own, as a task of Airflow does, so its seconds include starting Python and its
memory is the peak of that process. The last month is rated twice over: first from an empty lake (all of the history
is extracted and checked, and models are trained), then, one month later, as every month after that. PostgreSQL's own
memory is not in the figures. Results go to benchmarks/results/month.json and to the screen.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

# Apart from the demo's, unless told otherwise; the steps' processes inherit it.
os.environ.setdefault("GRIDGRADE_HOME", str(Path(__file__).resolve().parent.parent / ".gridgrade" / "benchmark"))

HERE = Path(__file__).resolve().parent
STEPS = ("extract", "validate", "compute_indices", "group", "model", "grade", "publish", "monitor")


def step(name: str, month_text: str) -> dict:
    """Run one step here; what it returns."""
    from pipeline import choose, extract, grade, group, indices, monitor, publish, train, validate
    from pipeline.month import RatingMonth
    from pipeline.policy import Policy
    from pipeline.settings import Settings

    settings = Settings.load()
    inputs = (RatingMonth.parse(month_text), settings, Policy.load(settings.policy))
    chosen = settings.home / "chosen.json"
    if name == "model":
        decision = choose.choose(*inputs)
        asked = {"families": decision["families"]} if decision["mode"] == "retrain" else {}
        outcome = (train.retrain if asked else choose.apply)(*inputs, why=decision["why"], **asked)
        chosen.write_text(json.dumps({key: outcome[key] for key in ("models", "promotes", "decision")}))
        return outcome
    if name == "grade":
        return grade.grade(*inputs, **json.loads(chosen.read_text()))
    if name == "publish":
        return publish.publish(*inputs, run_id="benchmark", run_kind="command")
    if name == "pandas":
        return {"rows": plain_pandas(*inputs)}
    steps = {
        "extract": extract.extract,
        "validate": validate.validate,
        "compute_indices": indices.compute_indices,
        "group": group.group,
        "monitor": monitor.monitor,
    }
    return steps[name](*inputs)


def plain_pandas(month, settings, policy) -> int:
    """The month's indices from the same partitions; fails where they differ from those the engine wrote."""
    import duckdb
    import pandas as pd

    from benchmarks.pandas_indices import indices
    from pipeline.lake import Lake, fact_key

    lake = Lake(settings.lake_path)
    tables = {}
    for name, columns in {
        "customers": ["customer_id", "connected_on", "closed_on"],
        "bills": [
            *("bill_id", "customer_id", "billing_month", "issued_on", "due_on", "amount", "kwh", "is_estimated"),
            "cancels_bill_id",
        ],
        "payments": ["payment_id", "customer_id", "bill_id", "paid_on", "amount", "reverses_payment_id"],
        "arrears": ["customer_id", "as_of", "days_past_due", "recorded_at"],
        "collection_events": ["customer_id", "event_type", "occurred_on"],
    }.items():
        months = [month] if fact_key(name) == "snapshot_month" else [m for m in lake.facts(name) if m <= month]
        files = [path for path, _ in lake.fact_files(name, months)]
        frame = pd.concat([pd.read_parquet(path, columns=columns) for path in files], ignore_index=True)
        for column in frame.columns:
            if column.endswith(("_on", "_month")) or column == "as_of":
                frame[column] = pd.to_datetime(frame[column])
        tables[name] = frame
    by_pandas = indices(tables, pd.Timestamp((month + 1).first_day), policy)
    files = lake.files("indices", rating_month=month, basis="as_known_then")
    by_engine = duckdb.read_parquet(files).df().set_index("customer_id").loc[by_pandas.index, by_pandas.columns]
    pd.testing.assert_frame_equal(by_pandas.astype("float64"), by_engine, check_dtype=False, rtol=1e-9, atol=1e-9)
    return len(by_pandas)


def measured(name: str, month: str) -> dict:
    """Seconds and peak memory of a step in a process of its own."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks", "--step", name, "--month", month]
    process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"benchmark step {name} of {month} failed")
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    seconds = time.perf_counter() - started
    print(f"{month} {name:16} {seconds:8.1f} s {peak:8.0f} MB", flush=True)
    return {
        "step": name,
        "month": month,
        "seconds": round(seconds, 2),
        "peak_mb": round(peak),
        "result": json.loads(output),
    }


def run(customers: int, months: int) -> dict:
    from pipeline.sample import LAST, fill_source
    from pipeline.settings import Settings
    from pipeline.warehouse.migrations import migrate

    settings = Settings.load()
    settings.home.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    rows = fill_source(
        settings, customers, months, progress=lambda month, done, total: print(f"made {month}", flush=True)
    )
    made = time.perf_counter() - started
    migrate(settings)
    first = [measured(name, str(LAST - 1)) for name in STEPS]
    steady = [measured(name, str(LAST)) for name in STEPS]
    pandas = measured("pandas", str(LAST))
    engine = next(part for part in steady if part["step"] == "compute_indices")
    return {
        "customers": customers,
        "months": months,
        "machine": f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}",
        "sample": {"seconds": round(made, 1), "rows": rows},
        "first_month": first,
        "month": steady,
        "pandas": pandas,
        "month_seconds": round(sum(part["seconds"] for part in steady), 1),
        "month_peak_mb": max(part["peak_mb"] for part in steady),
        "pandas_over_engine": round(pandas["seconds"] / engine["seconds"], 1),
    }


def show(figures: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "step", "from an empty lake", "", "every month after", "", title=f"{figures['customers']:,} customers"
    )
    for first, steady in zip(figures["first_month"], figures["month"], strict=True):
        cells = [
            f"{part[key]:,.1f} {unit}"
            for part in (first, steady)
            for key, unit in (("seconds", "s"), ("peak_mb", "MB"))
        ]
        table.add_row(first["step"], *cells)
    total = sum(part["seconds"] for part in figures["first_month"])
    table.add_row(
        "all steps", f"{total:,.1f} s", "", f"{figures['month_seconds']:,.1f} s", f"{figures['month_peak_mb']:,} MB"
    )
    Console().print(table)
    pandas = figures["pandas"]
    print(
        f"the same indices in plain pandas: {pandas['seconds']:,.1f} s, {pandas['peak_mb']:,} MB, "
        f"{figures['pandas_over_engine']} times as long"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--months", type=int, default=16)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--month", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(step(asked.step, asked.month), default=str))
        return
    figures = run(asked.customers, asked.months)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "month.json").write_text(json.dumps(figures, indent=1, default=str), encoding="utf-8")
    show(figures)


if __name__ == "__main__":
    main()
