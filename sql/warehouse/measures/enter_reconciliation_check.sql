-- Enters the check of a month's register against its bills: it fails where they are further apart than the policy's share
-- of the larger of the two. No row where there is nothing to compare.
-- Parameters: $1 (the month's first day), $2 (the basis), $3 (the expectation), $4 (the policy's share).

insert into ops.validation_results (
    rating_month, basis, table_name, recorded_month, expectation, column_name, severity, success, rows_checked,
    rows_failed, detail
)
select
    $1, $2, 'arrears', $1, $3, 'amount_overdue', 'warn', r.share <= cast($4 as double precision), r.customers, r.apart,
    jsonb_build_object('difference_share', round(cast(r.share as numeric), 6), 'limit', cast($4 as double precision))
from (
    select
        coalesce(sum(difference) / nullif(greatest(sum(overdue_by_bills), sum(overdue_by_register)), 0), 0) as share,
        sum(customers) as customers,
        coalesce(sum(customers) filter (where outcome <> 'agree'), 0) as apart
    from ops.arrears_reconciliation
    where rating_month = $1
    having count(*) > 0
) as r
