-- What is to be taken back of a campaign's rebates, as actions: what was granted above computed, less what earlier
-- months took back. One row: a customer, unless a later month has taken back already.
-- Parameters: $1 (the campaign), $3 (the month).
-- Fragments: settled_before (with $2, the month's first day).

select
    array[$1, c.customer_id, $3] as reference,
    c.customer_id,
    l.action_id as follows,
    format('a reversal lowers the rebate of campaign %s from %s to %s', $1, l.rebate + other.late, c.rebate) as reason,
    jsonb_build_object(
        'campaign', $1, 'rebate_action_id', cast(l.action_id as text), 'rebate', cast(l.rebate + other.late as text),
        'clawback', cast(l.rebate + other.late - c.rebate - other.back as text)
    ) as payload
from computed as c
inner join ops.arrears_rebates as l on l.campaign = $1 and l.customer_id = c.customer_id
{settled_before}
where l.rebate + other.late - c.rebate > other.back and not other.is_later
