-- One row is a bill, as it was issued, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    bill_id,
    customer_id,
    billing_month,
    period_start,
    period_end,
    issued_on,
    due_on,
    amount,
    kwh,
    kvarh,
    is_estimated,
    cancels_bill_id,
    recorded_at
from bills
where recorded_at >= :recorded_from and recorded_at < :recorded_before
