-- Sums up in the ledger what was taken back of the customers in computed. One row: a row that was changed.

update ops.arrears_rebates as l
set clawback = a.clawback, computed_at = now()
from (
    select
        a.customer_id,
        a.payload ->> 'campaign' as campaign,
        sum(cast(a.payload ->> 'clawback' as numeric)) as clawback
    from ops.service_actions as a
    where a.action_type = 'rebate_clawback' and a.customer_id in (select customer_id from computed)
    group by a.customer_id, a.payload ->> 'campaign'
) as a
where a.campaign = l.campaign and a.customer_id = l.customer_id and a.clawback <> l.clawback
returning 1
