-- Fails approved actions that expired before they were sent, at most so many. One row: an action that expired.
-- Parameters: most.
-- Fragments: types (outbox/policy_types), not_leased (a condition on s).

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    inner join {types} on t.action_type = s.action_type
    where s.status = 'approved'
        and {not_leased}
        and least(s.expires_at, s.approved_at + make_interval(secs => t.expires_hours * 3600)) <= now()
    limit :most
    for update of s
)

update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'it expired before it was sent'),
    next_attempt_at = null,
    updated_at = now()
from chosen as c
where s.action_id = c.action_id
