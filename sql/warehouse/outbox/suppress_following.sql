-- Suppresses actions that follow one which never goes out. One row: an action that was suppressed.

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'followed', next_attempt_at = null, updated_at = now()
from ops.service_actions as f
where f.action_id = s.follows and s.status in ('proposed', 'approved') and f.status in ('suppressed', 'failed')
