-- Claims the channel's most urgent approved action by a lease, and counts the attempt. One row: that action, or none.
-- Parameters: channel, types (those to be sent), expires_hours (JSON: type to the hours after which it expires),
-- attempts (how many the channel allows), lease (seconds).
-- Fragments: not_leased (a condition on s), followed_is_done (outbox/followed_is_done).

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    where s.status = 'approved'
        and s.channel = :channel
        and s.action_type = any(:types)
        and s.attempts < :attempts
        and {not_leased}
        and (s.next_attempt_at is null or s.next_attempt_at <= now())
        and coalesce(least(
            s.expires_at,
            s.approved_at
            + make_interval(secs => cast(cast(:expires_hours as jsonb) ->> s.action_type as float8) * 3600)
        ) > now(), true)
        and {followed_is_done}
    order by s.priority, s.approved_at, s.action_id
    limit 1
    for update of s skip locked
)

update ops.service_actions as s
set attempts = s.attempts + 1,
    leased_until = clock_timestamp() + make_interval(secs => :lease),
    updated_at = now()
from chosen as c
where s.action_id = c.action_id
returning s.action_id, s.action_type, s.customer_id, s.rating_month, s.reason, s.payload, s.due_at, s.attempts
