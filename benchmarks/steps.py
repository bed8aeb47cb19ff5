"""What runs in a process of its own: a step of the month, or its indices in plain pandas."""

import resource
from collections.abc import Callable
from typing import Any

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


def inputs(month_text: str):
    """What every step takes first: month, settings, policy."""
    from pipeline.local.databases import with_databases
    from pipeline.month import RatingMonth
    from pipeline.policy import Policy
    from pipeline.settings import Settings

    settings = with_databases(Settings.load())
    return RatingMonth.parse(month_text), settings, Policy.load(settings.policy)


def step(name: str, month_text: str, chosen: dict[str, Any] | None) -> dict:
    """Run one step here; what it returns."""
    from pipeline.run import Run

    run = Run(*inputs(month_text))
    if name == "pandas":
        try:
            return unless_out_of_memory(lambda: {"rows": plain_pandas(*run.inputs)})
        except AssertionError as error:
            return {"differs": " ".join(str(error).split()[:40])}
    if name == "model":
        decision = run.choose_model()
        return run.retrain(decision) if decision["mode"] == "retrain" else run.apply(decision)
    return getattr(run, name)(*([chosen] if chosen else []))


def unless_out_of_memory(work: Callable[[], dict]) -> dict:
    """What ``work`` returns; {"out_of_memory": gigabytes} where it asks for more than is free. That is refused from now
    on, since the kernel would end any process for it."""
    import psutil

    free = psutil.virtual_memory().available
    resource.setrlimit(resource.RLIMIT_DATA, (free, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        return work()
    except MemoryError:
        return {"out_of_memory": round(free / 1e9, 1)}


def plain_pandas(month, settings, policy) -> int:
    """The month's indices from the same partitions; fails where they differ from those the engine wrote."""
    import duckdb
    import pandas as pd

    from pipeline.lake import Lake, fact_key
    from tests.support.pandas_indices import indices

    lake = Lake.of(settings)
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
