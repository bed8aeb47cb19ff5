-- A condition on an action s: its last attempt is this dispatcher's. One that was given up for dead changes nothing.
-- Parameters: action_id, channel, attempts (the number of the attempt).

s.action_id = :action_id and s.status = 'approved' and s.channel = :channel and s.attempts = :attempts
