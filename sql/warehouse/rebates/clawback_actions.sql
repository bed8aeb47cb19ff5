-- What is to be taken back of a campaign's rebates, as actions: what was granted above computed, less what earlier
-- months
-- took back. One row: a customer, unless a later month has taken back already.
-- Parameters: $1 (the campaign), $2 (the month's first day), $3 (the month).

select
    array[$1, c.customer_id, $3] as reference,
    c.customer_id,
    l.action_id as follows,
    format('a reversal lowers the rebate of campaign %s from %s to %s', $1, l.rebate, c.rebate) as reason,
    jsonb_build_object(
        'campaign', $1, 'rebate_action_id', cast(l.action_id as text), 'rebate', cast(l.rebate as text),
        'clawback', cast(l.rebate - c.rebate - other.before as text)
    ) as payload
from computed as c
inner join ops.arrears_rebates as l on l.campaign = $1 and l.customer_id = c.customer_id
cross join lateral (
    select
        coalesce(sum(cast(a.payload ->> 'clawback' as numeric)) filter (where a.rating_month < $2), 0) as before,
        coalesce(bool_or(a.rating_month > $2), false) as is_later
    from ops.service_actions as a
    where a.customer_id = c.customer_id and a.action_type = 'rebate_clawback' and a.payload ->> 'campaign' = $1
) as other
where l.rebate - c.rebate > other.before and not other.is_later
