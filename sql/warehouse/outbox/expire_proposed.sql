-- Suppresses proposed actions that nobody approved in time. One row: an action that expired.

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'expiry', updated_at = now()
where s.status = 'proposed' and s.expires_at <= now()
