-- One row an action for a customer, the newest first.
-- Reads ops.service_actions. Parameters: customer_id, most (rows).

select
    s.action_id,
    s.rating_month,
    s.action_type,
    s.status,
    s.blocked_by,
    s.suppressed_by,
    s.reason,
    s.approved_by,
    s.due_at,
    s.updated_at
from ops.service_actions as s
where s.customer_id = :customer_id
order by s.rating_month desc, s.proposed_at desc, s.action_id
limit :most
