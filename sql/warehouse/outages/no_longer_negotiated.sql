-- Negotiations still to come that are not in decided any more. One row: an action.
-- Parameters: $1 (the moment).

select s.action_id
from ops.service_actions as s
where s.action_type = 'outage_negotiation'
    and s.due_at > cast($1 as timestamptz)
    and not exists (select from decided as d where d.action_id = s.action_id)
