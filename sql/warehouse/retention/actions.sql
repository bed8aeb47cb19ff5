-- A condition on a row r of ops.service_actions: it is old and finished, and nothing refers to it. Not finished is what a
-- person or a channel may still do. Rebates stay with their ledger, which adds them up. An action that a later month
-- still has due stays, or it would be decided, and done, a second time.
-- Parameters: before (the first day of the months that stay), lately (an instant: what changed since stays).

coalesce(r.still_due_in, r.rating_month) < :before
and r.updated_at < :lately
and (
    r.status in ('acknowledged', 'suppressed', 'failed', 'blocked')
    or (r.status = 'dispatched' and r.channel <> 'queue')
)
and r.action_type not in ('arrears_rebate', 'rebate_clawback')
and not exists (select from ops.service_actions as f where f.follows = r.action_id)
and not exists (select from ops.outage_notices as n where n.action_id = r.action_id)
and not exists (select from ops.arrears_rebates as l where l.action_id = r.action_id)
