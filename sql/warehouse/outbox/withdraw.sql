-- Suppresses actions that are no longer due and that nobody has acted on. What was withdrawn before stays as it was.
-- One row: an action that was withdrawn.
-- Fragments: which (a condition on s, with its own parameters), reason (the parameter with the reason),
-- untouched (outbox/untouched of s).

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'withdrawal', reason = {reason}, updated_at = now()
where {untouched}
    and s.suppressed_by is distinct from 'withdrawal'
    and {which}
returning 1
