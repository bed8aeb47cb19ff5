-- Fails approved actions whose last attempt broke off: their attempts are used up. One row: an action that failed.
-- Parameters: channel, attempts (how many the channel allows), most (actions).
-- Fragments: not_leased (a condition on s).

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    where s.status = 'approved' and s.channel = :channel and s.attempts >= :attempts and {not_leased}
    limit :most
    for update of s
)

update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'its last attempt broke off, and may have arrived'),
    next_attempt_at = null,
    leased_until = null,
    updated_at = now()
from chosen as c
where s.action_id = c.action_id
