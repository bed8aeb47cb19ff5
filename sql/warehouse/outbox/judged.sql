-- Part of a statement: decided, with the status that each action would have if nobody had acted on it.
-- One row: an action.
-- Parameters: $1 (whether it fires: false suppresses it).

(
    select
        d.action_id,
        d.customer_id,
        d.action_type,
        d.reason,
        cast(d.payload as jsonb) as payload,
        case
            when not $1 or f.status = 'suppressed' then 'suppressed'
            when d.blocked_by is not null then 'blocked'
            else 'proposed'
        end as status,
        case when not $1 then 'publication' when f.status = 'suppressed' then 'followed' end as suppressed_by,
        d.blocked_by,
        d.priority,
        d.follows,
        d.due_at,
        d.expires_at
    from decided as d
    left join ops.service_actions as f on f.action_id = d.follows
)
