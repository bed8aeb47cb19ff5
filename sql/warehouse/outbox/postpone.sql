-- Postpones the next attempt of an action. One row: the action.
-- Parameters: error (of this attempt), seconds.
-- Fragments: held (outbox/held).

update ops.service_actions as s
set last_error = :error, leased_until = null, next_attempt_at = now() + make_interval(secs => :seconds),
    updated_at = now()
where {held}
