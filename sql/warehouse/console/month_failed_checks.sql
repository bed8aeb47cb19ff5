-- One row an expectation that did not hold in a partition a month's run checked, what failed most rows first.
-- Reads ops.validation_results. Parameters: month.

select
    v.table_name,
    v.recorded_month,
    v.expectation,
    v.column_name,
    v.severity,
    v.rows_checked,
    v.rows_failed
from ops.validation_results as v
where v.rating_month = :month and not v.success
order by v.severity, v.rows_failed desc, v.table_name, v.recorded_month, v.expectation
limit 200
