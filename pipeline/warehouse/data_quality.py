"""What validation found, replaced a lake partition at a time: ops.validation_results and ops.quarantine."""

import json
from typing import Any

import pyarrow as pa
from sqlalchemy import text

from pipeline.month import RatingMonth
from pipeline.settings import Settings
from pipeline.warehouse.connection import bulk_transaction, transaction

QUARANTINED = pa.schema(
    [
        ("row_number", pa.int64()),
        ("row_key", pa.string()),
        ("failed", pa.list_(pa.string())),
        ("lake_path", pa.string()),
    ]
)

_RESULTS = text(
    "insert into ops.validation_results (rating_month, basis, table_name, recorded_month, expectation, column_name, "
    "severity, success, rows_checked, rows_failed, detail) "
    "values (:rating_month, :basis, :table_name, :recorded_month, :expectation, :column_name, "
    ":severity, :success, :rows_checked, :rows_failed, cast(:detail as jsonb))"
)


def replace_validation(
    settings: Settings,
    rating_month: RatingMonth,
    table: str,
    recorded_month: RatingMonth,
    results: list[dict[str, Any]],
    *,
    quarantined: pa.Table | None,
    basis: str = "as_known_then",
) -> None:
    """Put the latest check of a partition in the place of the one before; the same again changes nothing but times.

    A result has expectation, column_name (or None), severity (``warn`` or ``fail``), success, rows_checked, rows_failed
    and detail (a dict). ``quarantined`` is a table of QUARANTINED, None when no row is. A row that was in quarantine
    before keeps the month and time it was first left out.
    """
    key = {"table_name": table, "recorded_month": recorded_month.first_day}
    _replace_quarantine(settings, rating_month, key, quarantined)
    rows = [
        {
            "column_name": None,
            **result,
            **key,
            "rating_month": rating_month.first_day,
            "basis": basis,
            "detail": json.dumps(result.get("detail") or {}, default=str),
        }
        for result in results
    ]
    with transaction(settings) as connection:
        connection.execute(
            text(
                "delete from ops.validation_results where table_name = :table_name and recorded_month = :recorded_month"
            ),
            key,
        )
        if rows:
            connection.execute(_RESULTS, rows)


def _replace_quarantine(settings: Settings, rating_month: RatingMonth, key: dict, quarantined: pa.Table | None) -> None:
    rows = QUARANTINED.empty_table() if quarantined is None else quarantined.select(QUARANTINED.names).cast(QUARANTINED)
    partition = [key["table_name"], key["recorded_month"]]
    with bulk_transaction(settings) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("quarantined", rows, mode="create", temporary=True)
        cursor.execute(
            "delete from ops.quarantine where table_name = $1 and recorded_month = $2 "
            "and row_number not in (select row_number from quarantined)",
            partition,
        )
        cursor.execute(
            "insert into ops.quarantine "
            "(table_name, recorded_month, rating_month, row_number, row_key, failed, lake_path) "
            "select $1, $2, $3, row_number, row_key, failed, lake_path from quarantined "
            "on conflict (table_name, recorded_month, row_number) do update "
            "set row_key = excluded.row_key, failed = excluded.failed, lake_path = excluded.lake_path",
            [*partition, rating_month.first_day],
        )
