-- The actions of a measure that are due. One row per action.
-- Reads protected. Parameters: is_guarded (whether the policy's protections block the measure).
-- Fragments: measure (its query, or the view that was computed from it).
select
    m.*,
    p.blocked_by
from {measure} as m
left join protected as p
    on p.customer_id = m.customer_id
    and :is_guarded
order by m.customer_id
