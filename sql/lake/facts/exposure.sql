-- What was billed in the year before the cut-off: one row per customer with a bill that asks for money.
-- Reads bill_status. Parameters: as_of, history_start, months_ago_12.
select
    customer_id,
    sum(amount) as billed
from bill_status
where issued_on >= :months_ago_12
group by customer_id
