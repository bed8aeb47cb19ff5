-- A condition on an action s: it is one of a campaign that its new computation no longer calls for.
-- Parameters: $1 (the campaign). Fragments: stands (rebates/stands).

s.action_id in (
    select l.action_id
    from ops.arrears_rebates as l
    where l.campaign = $1 and l.action_id is not null and not {stands}
        and not exists (select from computed as c where c.customer_id = l.customer_id and c.rebate > 0)
)
