-- Writes the actions in decided to the outbox. One that somebody has acted on stays as it is; any other is decided anew
-- where it, or the publication it follows from, has changed. One that was proposed stays so.
-- One row: an action that was written.
-- Parameters: $1 (the month's first day), $2 (the action type), $3 (whether it fires: false suppresses it),
-- $4 (the kind of run), $5 (the publication's id).
-- Fragments: untouched (outbox/untouched of s), stays_proposed (a condition on s and excluded).

insert into ops.service_actions as s (
    action_id, rating_month, customer_id, action_type, reason, payload, status, suppressed_by, blocked_by, priority,
    follows, due_at, expires_at, run_kind, publication_id
)
select
    d.action_id,
    $1,
    d.customer_id,
    $2,
    d.reason,
    d.payload,
    case
        when not $3 or f.status = 'suppressed' then 'suppressed'
        when d.blocked_by is not null then 'blocked'
        else 'proposed'
    end,
    case when not $3 then 'publication' when f.status = 'suppressed' then 'followed' end,
    d.blocked_by,
    d.priority,
    d.follows,
    d.due_at,
    d.expires_at,
    $4,
    cast($5 as uuid)
from decided as d
left join ops.service_actions as f on f.action_id = d.follows
order by d.action_id
on conflict (action_id) do update
set reason = excluded.reason,
    payload = excluded.payload,
    status = case when {stays_proposed} then s.status else excluded.status end,
    suppressed_by = case when {stays_proposed} then null else excluded.suppressed_by end,
    blocked_by = excluded.blocked_by,
    priority = excluded.priority,
    follows = excluded.follows,
    due_at = excluded.due_at,
    expires_at = excluded.expires_at,
    run_kind = excluded.run_kind,
    publication_id = excluded.publication_id,
    updated_at = now()
where {untouched}
    and (
        s.reason, s.payload, s.publication_id, s.blocked_by, s.priority, s.follows, s.due_at, s.expires_at
    ) is distinct from (
        excluded.reason, excluded.payload, excluded.publication_id, excluded.blocked_by, excluded.priority,
        excluded.follows, excluded.due_at, excluded.expires_at
    )
returning 1
