-- Enters the actions in decided that the outbox does not have yet. One row: an action that was entered.
-- Parameters: $2 (the kind of run), $3 (the publication's id), $4 (the month's first day).
-- Fragments: judged (outbox/judged, with its $1).

insert into ops.service_actions (
    action_id, rating_month, customer_id, action_type, reason, payload, status, suppressed_by, blocked_by, priority,
    follows, due_at, expires_at, run_kind, publication_id
)
select
    d.action_id, $4, d.customer_id, d.action_type, d.reason, d.payload, d.status, d.suppressed_by, d.blocked_by, d.priority,
    d.follows, d.due_at, d.expires_at, $2, cast($3 as uuid)
from {judged} as d
where not exists (select from ops.service_actions as s where s.action_id = d.action_id)
order by d.action_id
returning 1
