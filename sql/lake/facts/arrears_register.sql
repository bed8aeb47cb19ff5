-- The arrears register before the cut-off: one row per customer and month end, the one recorded last.
-- is_proved_by_bills: the customer's bills in the lake had begun by then. What was overdue at that month end, and since
-- when, is then what bills and payments say; of the register only disputes and payment plans count.
-- Reads arrears, live_bills. Parameters: as_of.
select
    a.customer_id,
    a.as_of,
    arg_max(a.amount_overdue, a.recorded_at) as amount_overdue,
    arg_max(a.days_past_due, a.recorded_at) as days_past_due,
    arg_max(a.is_disputed, a.recorded_at) as is_disputed,
    arg_max(a.is_on_payment_plan, a.recorded_at) as is_on_payment_plan,
    max(a.recorded_at) as recorded_at,
    coalesce(max(b.first_issued_on) <= a.as_of, false) as is_proved_by_bills
from arrears as a
left join (
    select
        customer_id,
        min(issued_on) as first_issued_on
    from live_bills
    where amount > 0
        and customer_id in (select customer_id from arrears)
    group by customer_id
) as b on b.customer_id = a.customer_id
where a.as_of < :as_of
group by a.customer_id, a.as_of
