-- Suppresses proposed actions that nobody approved in time, at most so many. One row: an action that expired.
-- Parameters: most.

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    where s.status = 'proposed' and s.expires_at <= now()
    order by s.expires_at
    limit :most
    for update of s
)

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'expiry', updated_at = now()
from chosen as c
where s.action_id = c.action_id
