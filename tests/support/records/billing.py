"""A small billing system for tests: every customer has a bill and a payment in each month, and nothing is wrong."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema, replace_tables

AUGUST, SEPTEMBER, OCTOBER = (RatingMonth(2026, month) for month in (8, 9, 10))
MONTHS = (AUGUST, SEPTEMBER, OCTOBER)
CUSTOMERS = 10

Tables = dict[str, list[dict]]


def instant(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def customer(number: int, **changed) -> dict:
    return {
        "customer_id": f"C{number:03}",
        "segment": "residential",
        "region": "north",
        "feeder_id": "F1",
        "connected_on": date(2020, 1, 1),
        "recorded_at": instant(date(2020, 1, 1)),
    } | changed


def bill(number: int, month: RatingMonth, **changed) -> dict:
    issued = month.first_day + timedelta(days=2)
    return {
        "bill_id": f"B-{month}-{number:03}",
        "customer_id": f"C{number:03}",
        "billing_month": month.first_day,
        "issued_on": issued,
        "due_on": issued + timedelta(days=20),
        "amount": Decimal("100.25") + number,
        "kwh": Decimal("321.125"),
        "is_estimated": False,
        "recorded_at": instant(issued),
    } | changed


def payment(number: int, month: RatingMonth, **changed) -> dict:
    paid = month.first_day + timedelta(days=9)
    return {
        "payment_id": f"P-{month}-{number:03}",
        "customer_id": f"C{number:03}",
        "bill_id": f"B-{month}-{number:03}",
        "paid_on": paid,
        "amount": Decimal("100.25") + number,
        "recorded_at": instant(paid),
    } | changed


def close(month: RatingMonth) -> dict:
    return {"billing_month": month.first_day, "closed_at": instant((month + 1).first_day)}


def records(months=MONTHS) -> Tables:
    return {
        "customers": [customer(number) for number in range(CUSTOMERS)],
        "bills": [bill(number, month) for month in months for number in range(CUSTOMERS)],
        "payments": [payment(number, month) for month in months for number in range(CUSTOMERS)],
        "billing_closes": [close(month) for month in months],
    }


def fill(settings: Settings, tables: Tables) -> None:
    """Replace the source by these rows."""
    batches = ((name, pa.RecordBatch.from_pylist(rows, schema=arrow_schema(name))) for name, rows in tables.items())
    replace_tables(settings.source, batches)


def in_source(settings: Settings, *statements: str) -> None:
    engine = sa.create_engine(settings.source, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def in_lake(settings: Settings, table: str, select: str = "*", **keys) -> list[tuple]:
    """Rows of a partition; of all partitions of the table without keys."""
    lake = Lake(settings.lake_path)
    files = f"{lake.path(table, **keys)}/{'' if keys else '*/'}*.parquet"
    return (
        duckdb.connect().execute(f"select {select} from read_parquet($files) order by all", {"files": files}).fetchall()
    )
