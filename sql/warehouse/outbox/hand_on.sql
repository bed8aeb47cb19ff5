-- Hands an action to its next channel. One row: the action.
-- Parameters: following (the next channel), error (of the channel before).
-- Fragments: held (outbox/held).

update ops.service_actions as s
set channel = :following, attempts = 0, last_error = :error, leased_until = null, next_attempt_at = null,
    updated_at = now()
where {held}
