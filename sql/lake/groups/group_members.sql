-- Who is grouped, with everything the groups are made from. One row per customer.
-- Reads group_features, indices. No parameters.
-- Fragments: indices (columns of indices, null for one that nobody computed).
select
    m.*,
    {indices}
from group_features as m
left join indices as i on i.customer_id = m.customer_id
order by m.customer_id
