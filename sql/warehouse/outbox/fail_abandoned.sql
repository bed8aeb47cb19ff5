-- Fails approved actions whose last attempt broke off: their attempts are used up. One row: an action that failed.
-- Parameters: channel, attempts (how many the channel allows).
-- Fragments: not_leased (a condition on s).

update ops.service_actions as s
set status = 'failed',
    last_error = concat_ws('; ', s.last_error, 'its last attempt broke off, and may have arrived'),
    next_attempt_at = null,
    leased_until = null,
    updated_at = now()
where s.status = 'approved' and s.channel = :channel and s.attempts >= :attempts and {not_leased}
