-- Fails an action: no channel delivers it. One row: the action.
-- Parameters: error.
-- Fragments: held (outbox/held).

update ops.service_actions as s
set status = 'failed', last_error = :error, leased_until = null, next_attempt_at = null, updated_at = now()
where {held}
