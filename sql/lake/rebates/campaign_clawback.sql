-- What the reversals that became known after a trial campaign take back of it. One row.
-- Reads granted_then (the rows of rebates_granted when it ended), affected (customer_id of those with reversals),
-- rebate_earned. Parameters: as_of, window_start, share, rate, cap.

select coalesce(sum(greatest(0, g.rebate - coalesce(r.earned, 0))), 0) as clawback
from granted_then as g
inner join affected as a on a.customer_id = g.customer_id
left join rebate_earned as r on r.customer_id = g.customer_id
