-- Suppresses actions that are no longer due and that nobody has acted on.
-- One row: an action that was withdrawn, or whose reason changed.
-- Fragments: which (a query of action_id, with its own parameters), reason (the parameter with the reason),
-- untouched (outbox/untouched of s).

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'withdrawal', reason = {reason}, updated_at = now()
where action_id in ({which})
    and {untouched}
    and (s.suppressed_by, s.reason) is distinct from ('withdrawal', {reason})
returning 1
