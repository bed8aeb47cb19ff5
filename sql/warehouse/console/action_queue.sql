-- One row an action of the outbox, the most urgent first, from after the last row of the page before on.
-- Reads ops.service_actions.
-- Parameters: status, action_type, month, customer_id, is_overdue (each null for any), after_priority, after_due, after_id
-- (null: the first page), most (rows).
-- The order is that of the index service_actions_queue, so that a page costs the same whatever there is before it.

select
    s.action_id,
    s.rating_month,
    s.customer_id,
    s.action_type,
    s.status,
    s.blocked_by,
    s.suppressed_by,
    s.reason,
    s.channel,
    s.approved_by,
    s.acknowledged_by,
    s.attempts,
    s.last_error,
    s.proposed_at,
    s.due_at,
    s.due_at < now() and s.status in ('proposed', 'approved', 'dispatched', 'failed') as is_overdue,
    s.priority,
    coalesce(s.priority, 9) as order_priority,
    cast(coalesce(s.due_at, 'infinity') as text) as order_due
from ops.service_actions as s
where s.status = :status
    and (cast(:action_type as text) is null or s.action_type = :action_type)
    and (cast(:month as date) is null or s.rating_month = :month)
    and (cast(:customer_id as text) is null or s.customer_id = :customer_id)
    and (not cast(:is_overdue as boolean) or s.due_at < now())
    and (
        cast(:after_id as uuid) is null
        or (coalesce(s.priority, 9), coalesce(s.due_at, 'infinity'), s.action_id)
        > (cast(:after_priority as integer), cast(:after_due as timestamptz), cast(:after_id as uuid))
    )
order by coalesce(s.priority, 9), coalesce(s.due_at, 'infinity'), s.action_id
limit :most
