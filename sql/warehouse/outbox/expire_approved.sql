-- Fails approved actions that expired before they were sent. One row: an action that expired.
-- Fragments: types (outbox/policy_types), not_leased (a condition on s).

update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'it expired before it was sent'),
    next_attempt_at = null,
    updated_at = now()
from {types}
where t.action_type = s.action_type
    and s.status = 'approved'
    and {not_leased}
    and least(s.expires_at, s.approved_at + make_interval(secs => t.expires_hours * 3600)) <= now()
