-- A condition on a row r of ops.service_action_events: it is old, and so was its action, which is gone.
-- Parameters: before (the first day of the months that stay), lately (an instant: what happened since stays).

r.changed_at < least(cast(:before as timestamptz), :lately)
and not exists (select from ops.service_actions as s where s.action_id = r.action_id)
