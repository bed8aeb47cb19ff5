-- The customers with their stage and what they are grouped by. One row per customer.
-- Reads life_cycle. No parameters.
-- Fragments: sensitivities (columns of indices by the names of the published ones), levels (what was billed, and what
-- customers are grouped by on the scale of k-means).
select
    customer_id,
    segment,
    is_closed,
    life_cycle_stage,
    {sensitivities},
    {levels}
from life_cycle
