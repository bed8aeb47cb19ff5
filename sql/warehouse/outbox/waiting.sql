-- What is approved and not sent yet. One row: a channel and an action type.

select
    s.channel,
    s.action_type,
    count(*) as actions,
    min(greatest(s.next_attempt_at, s.leased_until)) as next_at,
    max(s.last_error) as last_error
from ops.service_actions as s
where s.status = 'approved'
group by s.channel, s.action_type
order by s.channel, s.action_type
