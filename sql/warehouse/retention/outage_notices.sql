-- A condition on a row r of ops.outage_notices: its outage, and all that customers were told of it, is old.
-- Parameters: before (the first day of the months that stay), lately (an instant: what was decided since stays).

r.decided_at < least(cast(:before as timestamptz), :lately)
and not exists (
    select
    from ops.outage_notices as n
    inner join ops.service_actions as s on s.action_id = n.action_id
    where n.outage_id = r.outage_id
        and (n.starts_at >= :before or n.decided_at >= :before or s.status in ('proposed', 'approved'))
)
