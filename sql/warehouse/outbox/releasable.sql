-- A condition on an action s: a person may release it.

(
    (s.status = 'failed' or (s.status = 'suppressed' and s.suppressed_by is distinct from 'withdrawal'))
    and s.blocked_by is null
    and (s.expires_at is null or s.expires_at > now())
)
