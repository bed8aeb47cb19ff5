"""Results and quarantine are replaced a partition at a time."""

import pyarrow as pa

from pipeline.month import RatingMonth
from pipeline.warehouse.tables.data_quality import QUARANTINED, PartitionCheck, replace_validation

MARCH, APRIL = RatingMonth(2026, 3), RatingMonth(2026, 4)
RESULT = {"expectation": "not_null", "column_name": "amount", "severity": "fail", "success": False,
          "rows_checked": 10, "rows_failed": 2, "detail": {"examples": ["b1"]}}  # fmt: skip


def quarantine(*numbers):
    rows = [
        {"row_number": n, "row_key": f"b{n}", "failed": ["not_null", "positive"], "lake_path": "p"} for n in numbers
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINED).to_batches()


def test_the_latest_check_of_a_partition_stands(settings, sql):
    rows = "select table_name, recorded_month::text, expectation, detail from ops.validation_results order by 1"
    for table in ("bills", "payments"):
        results = [RESULT, {**RESULT, "column_name": None}]
        replace_validation(settings, MARCH, table, [PartitionCheck(MARCH, results)])
    replace_validation(settings, APRIL, "bills", [PartitionCheck(MARCH, [RESULT])])
    assert sql(rows) == [
        ("bills", "2026-03-01", "not_null", {"examples": ["b1"]}),
        ("payments", "2026-03-01", "not_null", {"examples": ["b1"]}),
        ("payments", "2026-03-01", "not_null", {"examples": ["b1"]}),
    ]


def test_a_row_keeps_the_month_it_was_first_left_out(settings, sql):
    rows = "select row_number, row_key, rating_month::text, failed from ops.quarantine order by 1"
    both = [PartitionCheck(MARCH, [], quarantine(1, 2)), PartitionCheck(APRIL, [], quarantine(7))]
    replace_validation(settings, MARCH, "bills", both)
    replace_validation(settings, APRIL, "bills", [PartitionCheck(MARCH, [], quarantine(2, 3))])
    failed = ["not_null", "positive"]
    assert sql(rows) == [
        (2, "b2", "2026-03-01", failed),
        (3, "b3", "2026-04-01", failed),
        (7, "b7", "2026-03-01", failed),
    ]
    replace_validation(settings, APRIL, "bills", [PartitionCheck(MARCH, [])])
    assert sql(rows) == [(7, "b7", "2026-03-01", failed)]
