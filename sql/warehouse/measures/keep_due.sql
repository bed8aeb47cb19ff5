-- Notes of the actions in decided that somebody has acted on that a month still has them due, once a year. One row: an
-- action.
-- Parameters: $1 (the month's first day).
-- Fragments: untouched (outbox/untouched of s).

update ops.service_actions as s
set still_due_in = $1
from decided as d
where d.action_id = s.action_id
    and not {untouched}
    and coalesce(s.still_due_in, s.rating_month) < cast($1 as date) - interval '1 year'
