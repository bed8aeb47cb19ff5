-- What the arrears register said of the month ends before the cut-off: one row per customer and month end, the one
-- recorded last.
-- Reads arrears. Parameters: as_of.
select
    customer_id,
    as_of,
    arg_max(amount_overdue, recorded_at) as amount_overdue,
    arg_max(days_past_due, recorded_at) as days_past_due,
    arg_max(is_disputed, recorded_at) as is_disputed,
    arg_max(is_on_payment_plan, recorded_at) as is_on_payment_plan,
    max(recorded_at) as recorded_at
from arrears
where as_of < :as_of
group by customer_id, as_of
