-- Proposed actions that the policy approves by itself, at most so many. One row: an action.
-- Parameters: automatic (the types that it approves), most.

select w.action_id
from ops.service_actions as w
where w.status = 'proposed' and w.run_kind = 'scheduled' and w.action_type = any(:automatic)
order by w.action_type, w.action_id
limit :most
