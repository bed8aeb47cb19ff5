-- One row is what a customer owed past its due date at a month's end, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    customer_id,
    as_of,
    amount_overdue,
    days_past_due,
    late_fee,
    is_disputed,
    is_on_payment_plan,
    recorded_at
from arrears
where recorded_at >= :recorded_from and recorded_at < :recorded_before
