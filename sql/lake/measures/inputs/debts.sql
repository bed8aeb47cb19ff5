-- What customers owe past its due date at the cut-off: one row per customer.
--   amount_overdue   what bills due before the cut-off lack
--   overdue_since    due date of the oldest of them, and days_past_due from it to the cut-off
-- Reads bill_status. Parameters: as_of, settlement_tolerance.
select
    customer_id,
    cast(sum(unpaid) as decimal(18, 2)) as amount_overdue,
    min(due_on) as overdue_since,
    date_diff('day', min(due_on), :as_of) as days_past_due
from bill_status
where due_on < :as_of
    and unpaid > 0
group by customer_id
