-- Sends approved actions to the first channel of their type, where theirs is not one of the policy's any more.
-- One row: an action that changes its channel.
-- Fragments: types (outbox/policy_types), not_leased (a condition on s).

update ops.service_actions as s
set channel = t.channels ->> 0, attempts = 0, next_attempt_at = null, leased_until = null, updated_at = now()
from {types}
where t.action_type = s.action_type
    and s.status = 'approved'
    and {not_leased}
    and (s.channel is null or not t.channels ? s.channel)
