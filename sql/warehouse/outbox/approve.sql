-- Approves proposed actions. One row: an action that was approved.
-- Parameters: by (who approves).
-- Fragments: types (outbox/policy_types), which (a condition on s and t).

update ops.service_actions as s
set status = 'approved',
    approved_by = :by,
    approved_at = now(),
    channel = t.channels ->> 0,
    priority = coalesce(s.priority, t.priority),
    due_at = coalesce(s.due_at, now() + make_interval(secs => t.due_hours * 3600)),
    updated_at = now()
from {types}
where t.action_type = s.action_type and s.status = 'proposed' and {which}
