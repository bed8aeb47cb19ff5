-- Proposes what is in decided and was suppressed with its publication, as decided by a run of another kind. A scheduled
-- run also adopts what was proposed by hand, so that it goes out without a person.
-- One row: an action that was changed.
-- Parameters: $1 (the kind of run).

update ops.service_actions as s
set status = 'proposed', suppressed_by = null, run_kind = $1, updated_at = now()
from decided as d
where d.action_id = s.action_id
    and s.blocked_by is null
    and (
        (s.status = 'suppressed' and s.suppressed_by = 'publication')
        or (s.status = 'proposed' and $1 = 'scheduled' and s.run_kind <> 'scheduled')
    )
returning 1
