-- What a campaign gives back to those who paid arrears in its window, before its budget.
-- One row per customer with bills overdue when the window began: opening_arrears (what these bills then lacked),
-- received (all that the customer paid in the window, less what was taken back in it), repaid (how much less the bills
-- lack at its end) and earned, rounded down to the cent, so that it is never above rate * repaid. A bill cancelled within
-- the window is no arrears.
-- Reads bill_status (at the window's end), overdue_at_start (overdue_bills at its first day), payments.
-- Parameters: as_of (the day after the window), settlement_tolerance, window_start, share, rate, cap.
with arrears as (
    select
        o.customer_id,
        cast(sum(o.unpaid) as decimal(18, 2)) as opening_arrears,
        cast(greatest(0, sum(o.unpaid - b.unpaid - case when b.written_off_on is null then 0 else b.written_off end)) as decimal(18, 2)) as repaid
    from overdue_at_start as o
    inner join bill_status as b on b.customer_id = o.customer_id and b.bill_id = o.bill_id
    group by o.customer_id
),

cash as (
    select
        customer_id,
        sum(case when reverses_payment_id is null then amount else -amount end) as received
    from payments
    where paid_on >= :window_start
        and paid_on < :as_of
    group by customer_id
)

select
    a.customer_id,
    a.opening_arrears,
    cast(coalesce(c.received, 0) as decimal(18, 2)) as received,
    a.repaid,
    cast(
        case
            when a.repaid >= :share * a.opening_arrears then floor(least(:cap, :rate * a.repaid) * 100) * 0.01
            else 0
        end
        as decimal(18, 2)
    ) as earned
from arrears as a
left join cash as c on c.customer_id = a.customer_id
