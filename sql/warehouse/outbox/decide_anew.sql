-- Decides the actions in decided anew that are in the outbox: those that nobody has acted on, and that, or the publication
-- they follow from, have changed. One that was proposed stays so.
-- One row: an action that was changed.
-- Parameters: $2 (the kind of run), $3 (the publication's id).
-- Fragments: judged (outbox/judged, with its $1), untouched (outbox/untouched of s), stays_proposed (a condition on s and d).

update ops.service_actions as s
set reason = d.reason,
    payload = d.payload,
    status = case when {stays_proposed} then s.status else d.status end,
    suppressed_by = case when {stays_proposed} then null else d.suppressed_by end,
    blocked_by = d.blocked_by,
    priority = d.priority,
    follows = d.follows,
    due_at = d.due_at,
    expires_at = d.expires_at,
    run_kind = $2,
    publication_id = cast($3 as uuid),
    updated_at = now()
from {judged} as d
where d.action_id = s.action_id
    and {untouched}
    and (
        s.reason, s.payload, s.publication_id, s.blocked_by, s.priority, s.follows, s.due_at, s.expires_at
    ) is distinct from (
        d.reason, d.payload, cast($3 as uuid), d.blocked_by, d.priority, d.follows, d.due_at, d.expires_at
    )
returning 1
