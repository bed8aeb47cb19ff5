-- The actions of all measures that are due, as the outbox takes them. One row per action.
-- name is what its id is made from: a JSON array of the measure, the customer and the subject.
-- Reads guarded (action_type of the measures that a protection blocks), protected.
-- Fragments: measures (a query: action_type, customer_id, subject, reason and payload of the actions of every measure).
select
    m.action_type,
    m.customer_id,
    m.reason,
    m.payload,
    p.blocked_by,
    '["' || m.action_type || '", ' || to_json(m.customer_id) || ', ' || coalesce(to_json(m.subject), 'null') || ']' as name
from ({measures}) as m
left join guarded as g on g.action_type = m.action_type
left join protected as p
    on p.customer_id = m.customer_id
    and g.action_type is not null
