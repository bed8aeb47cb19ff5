-- One row an action that is not done: what has to be approved, sent or worked, and what a protection blocks (blocked_by).
-- The most urgent first: by place. Nothing about a customer but the id; what the action says is not here.
-- Reads ops.service_actions.

select
    row_number() over (
        order by s.blocked_by is not null, coalesce(s.priority, 9), s.due_at nulls last, s.proposed_at, s.action_id
    ) as place,
    s.action_id,
    s.action_type,
    s.customer_id,
    s.rating_month,
    s.status,
    s.blocked_by,
    s.priority,
    s.due_at,
    s.due_at < now() as is_overdue,
    s.reason,
    s.channel,
    s.proposed_at
from ops.service_actions as s
where s.status in ('proposed', 'approved', 'dispatched', 'failed', 'blocked')
