-- Where the ranges of a snapshot's customers begin, but for the first: one row per range.
-- Reads snapshot. Parameters: customers (how many in a range).
select customer_id
from (
    select
        customer_id,
        row_number() over (order by customer_id) as place
    from snapshot
    where customer_id is not null
) as placed
where place > 1 and (place - 1) % :customers = 0
