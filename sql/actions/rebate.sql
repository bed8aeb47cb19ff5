-- What a campaign gives back to those who paid arrears in its window.
-- One row per customer with bills overdue when the window began: opening_arrears (what these bills then lacked),
-- repaid (how much less they lack at its end) and rebate, rounded down to the cent, so that it is never above
-- rate * repaid. A bill cancelled within the window is no arrears.
-- Reads bill_status (at the window's end), overdue_at_start (overdue_bills at its first day).
-- Parameters: as_of (the day after the window), history_start, share, rate, cap.
with arrears as (
    select
        o.customer_id,
        cast(sum(o.unpaid) as decimal(18, 2)) as opening_arrears,
        cast(greatest(0, sum(o.unpaid - b.unpaid)) as decimal(18, 2)) as repaid
    from overdue_at_start as o
    inner join bill_status as b on b.bill_id = o.bill_id
    group by o.customer_id
)

select
    customer_id,
    opening_arrears,
    repaid,
    cast(
        case
            when repaid >= :share * opening_arrears then floor(least(:cap, :rate * repaid) * 100) * 0.01
            else 0
        end
        as decimal(18, 2)
    ) as rebate
from arrears
