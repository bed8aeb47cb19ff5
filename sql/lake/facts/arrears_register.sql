-- The arrears register before the cut-off: the rows of arrears_recorded_last.
-- One row per customer and month end.
-- is_proved_by_bills: the customer's bills in the lake had begun by then. What was overdue at that month end, and since
-- when, is then what bills and payments say; of the register only disputes and payment plans count.
-- Reads arrears_recorded_last, live_bills, arrears. Parameters: as_of.
select
    a.customer_id,
    a.as_of,
    a.amount_overdue,
    a.days_past_due,
    a.is_disputed,
    a.is_on_payment_plan,
    a.recorded_at,
    coalesce(b.first_issued_on <= a.as_of, false) as is_proved_by_bills
from arrears_recorded_last as a
left join (
    select
        customer_id,
        min(issued_on) as first_issued_on
    from live_bills
    where amount > 0
        and customer_id in (select customer_id from arrears)
    group by customer_id
) as b on b.customer_id = a.customer_id
