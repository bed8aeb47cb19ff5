-- Dispatches approved actions to the work queue, the most urgent first and at most so many. One row: an action that was
-- dispatched.
-- Parameters: most.
-- Fragments: followed_is_done (outbox/followed_is_done).

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    where s.status = 'approved' and s.channel = 'queue' and {followed_is_done}
    order by s.priority, s.approved_at, s.action_id
    limit :most
    for update of s
)

update ops.service_actions as s
set status = 'dispatched', attempts = 1, dispatched_at = now(), updated_at = now()
from chosen as c
where s.action_id = c.action_id
