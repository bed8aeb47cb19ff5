-- Actions of a measure that are not in decided any more. One row: an action.
-- Parameters: $1 (the action type), $2 and $3 (the first days of the months that are looked at).

select s.action_id
from ops.service_actions as s
where s.action_type = $1
    and s.rating_month between $2 and $3
    and not exists (select from decided as d where d.action_id = s.action_id)
