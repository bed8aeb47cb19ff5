-- Sums up in the ledger what actions have added to the rebates of the customers in computed, or taken back of them. One
-- row: a row that was changed.
-- Fragments: column (of the ledger, and the field of the payload that it sums up), action_type.

update ops.arrears_rebates as l
set {column} = a.{column}, computed_at = now()
from (
    select
        a.customer_id,
        a.payload ->> 'campaign' as campaign,
        sum(cast(a.payload ->> '{column}' as numeric)) as {column}
    from ops.service_actions as a
    where a.action_type = '{action_type}' and a.payload ? '{column}'
        and a.customer_id in (select customer_id from computed)
    group by a.customer_id, a.payload ->> 'campaign'
) as a
where a.campaign = l.campaign and a.customer_id = l.customer_id and a.{column} <> l.{column}
returning 1
