-- Suppresses actions that follow one which never goes out, at most so many. One row: an action that was suppressed.
-- Parameters: most.

with chosen as materialized (
    select s.action_id
    from ops.service_actions as s
    inner join ops.service_actions as f on f.action_id = s.follows
    where s.status in ('proposed', 'approved') and f.status in ('suppressed', 'failed')
    limit :most
    for update of s
)

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'followed', next_attempt_at = null, updated_at = now()
from chosen as c
where s.action_id = c.action_id
