-- The customers of a trial campaign who got a rebate and of whom a payment of its window was taken back.
-- One row per customer.
-- Reads granted_then (the rows of rebates_granted when it ended), learnt_later.
-- Parameters: window_start, window_end (the day after the window), recorded_from, recorded_before, as_of.

select distinct g.customer_id
from granted_then as g
inner join learnt_later as r on r.customer_id = g.customer_id
where g.rebate > 0
    and r.paid_on >= :window_start
    and r.paid_on < :window_end
