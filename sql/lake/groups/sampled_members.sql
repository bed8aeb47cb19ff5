-- The customers that the k-means learn from, the same ones for the same seed. One row per customer.
-- Reads members. Parameters: seed, rows.
-- Fragments: levels (what customers are grouped by, on the scale of k-means).
with drawn as (
    select *
    from members
    where not is_closed
    order by md5(:seed || customer_id), customer_id
    limit :rows
)

select {levels}
from drawn
order by customer_id
