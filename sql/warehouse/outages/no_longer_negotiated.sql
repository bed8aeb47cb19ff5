-- A condition on an action s: it is a negotiation still to come that is not in decided any more.
-- Parameters: $1 (the moment).

s.action_type = 'outage_negotiation'
and s.due_at > cast($1 as timestamptz)
and not exists (select from decided as d where d.action_id = s.action_id)
