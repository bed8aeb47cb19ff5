-- Marks an action as dispatched, also where its lease has run out and another dispatcher has given it up: it did
-- arrive.
-- One row: the action.
-- Parameters: action_id.

update ops.service_actions as s
set status = 'dispatched', dispatched_at = now(), leased_until = null, next_attempt_at = null, last_error = null,
    updated_at = now()
where s.action_id = :action_id and s.status in ('approved', 'failed')
