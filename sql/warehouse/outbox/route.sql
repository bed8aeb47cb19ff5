-- Sends approved actions to the first channel of their type, where theirs is not one of the policy's any more; at most so
-- many. One row: an action that changes its channel.
-- Parameters: most.
-- Fragments: types (outbox/policy_types), not_leased (a condition on s).

with chosen as materialized (
    select s.action_id, t.channels ->> 0 as channel
    from ops.service_actions as s
    inner join {types} on t.action_type = s.action_type
    where s.status = 'approved'
        and {not_leased}
        and (s.channel is null or not t.channels ? s.channel)
    limit :most
    for update of s
)

update ops.service_actions as s
set channel = c.channel, attempts = 0, next_attempt_at = null, leased_until = null, updated_at = now()
from chosen as c
where s.action_id = c.action_id
