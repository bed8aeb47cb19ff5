-- A condition on an action s: the action it follows, if any, has gone out.

(
    s.follows is null
    or exists (
        select
        from ops.service_actions as f
        where f.action_id = s.follows and f.status in ('dispatched', 'acknowledged')
    )
)
