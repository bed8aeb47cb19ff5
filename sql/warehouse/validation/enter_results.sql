-- Enters what was checked, from found. One row: an expectation of a partition.
-- Parameters: $1 (the rating month's first day), $2 (the basis), $3 (the source table).

insert into ops.validation_results (
    rating_month, basis, table_name, recorded_month, expectation, column_name, severity, success, rows_checked,
    rows_failed, detail
)
select
    $1, $2, $3, recorded_month, expectation, column_name, severity, success, rows_checked, rows_failed,
    cast(detail as jsonb)
from found
