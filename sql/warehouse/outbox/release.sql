-- Gives suppressed or failed actions another start: approved where the policy approves their type automatically, and
-- proposed otherwise. What was suppressed only because the action it follows was, is released with it.
-- One row: an action that was released.
-- Parameters: by (who releases).
-- Fragments: releasable (outbox/releasable), types (outbox/policy_types), which (a condition on s).

with chosen as (
    select s.action_id
    from ops.service_actions as s
    where {releasable} and {which}
),

released as (
    select action_id from chosen
    union
    select n.action_id
    from ops.service_actions as n
    inner join chosen as c on c.action_id = n.follows
    where n.status = 'suppressed' and n.suppressed_by in ('publication', 'followed') and n.blocked_by is null
),

starting as (
    select
        r.action_id,
        coalesce(t.approval = 'automatic', false) as is_approved,
        t.channels ->> 0 as channel,
        t.priority,
        now() + make_interval(secs => t.due_hours * 3600) as due_at
    from released as r
    inner join ops.service_actions as s on s.action_id = r.action_id
    left join {types} on t.action_type = s.action_type
)

update ops.service_actions as s
set status = case when n.is_approved then 'approved' else 'proposed' end,
    approved_by = case when n.is_approved then :by end,
    approved_at = case when n.is_approved then now() end,
    priority = case when n.is_approved then coalesce(s.priority, n.priority) else s.priority end,
    due_at = case when n.is_approved then coalesce(s.due_at, n.due_at) else s.due_at end,
    suppressed_by = null,
    channel = case when n.is_approved then n.channel end,
    attempts = 0,
    next_attempt_at = null,
    leased_until = null,
    last_error = null,
    updated_at = now()
from starting as n
where s.action_id = n.action_id
