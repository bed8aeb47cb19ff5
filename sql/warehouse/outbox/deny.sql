-- Suppresses actions for good, unless a person releases them. One that is being sent stays. One row: an action denied.
-- Fragments: which (a condition on s).

update ops.service_actions as s
set status = 'suppressed', suppressed_by = 'denial', leased_until = null, next_attempt_at = null, updated_at = now()
where s.status in ('proposed', 'approved', 'failed')
    and (s.leased_until is null or s.leased_until <= now())
    and {which}
