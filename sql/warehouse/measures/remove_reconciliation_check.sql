-- Removes the check of a month's register against its bills. One row: a result.
-- Parameters: $1 (the month's first day), $2 (the expectation).

delete from ops.validation_results
where table_name = 'arrears'
    and recorded_month = $1
    and expectation = $2
