-- What measures know of the customers of a published month. One row: a rated customer.
-- Parameters: $1 (the month's first day).
-- Fragments: consumption_trend (the index of that name, or null where the policy has none).

select
    g.customer_id,
    g.segment,
    g.grade,
    k.value_group,
    k.outage_sensitivity,
    cast(k.revenue as float8) as revenue,
    {consumption_trend} as consumption_trend
from rating.credit_grades as g
left join rating.customer_groups as k on k.rating_month = $1 and k.customer_id = g.customer_id
left join rating.credit_indices as i on i.rating_month = $1 and i.customer_id = g.customer_id
where g.rating_month = $1
