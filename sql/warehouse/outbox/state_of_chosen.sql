-- The state of actions named by their ids, locked until the transaction ends. One row: an action that exists.
-- Parameters: ids.

select
    s.action_id,
    s.action_type,
    s.status,
    s.suppressed_by,
    s.blocked_by,
    s.expires_at <= now() as is_late,
    s.leased_until > now() as is_leased,
    s.follows,
    f.status as followed_status
from ops.service_actions as s
left join ops.service_actions as f on f.action_id = s.follows
where s.action_id = any(:ids)
order by s.action_id
for update of s
