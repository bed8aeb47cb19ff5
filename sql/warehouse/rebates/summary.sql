-- What ledger and outbox hold of a month, money as text. One row: the month.
-- Parameters: $1 (the month's first day).

select
    count(distinct l.customer_id),
    cast(coalesce(sum(l.received), 0.00) as text),
    cast(coalesce(sum(l.repaid), 0.00) as text),
    count(*) filter (where a.status <> 'suppressed'),
    cast(coalesce(sum(l.rebate) filter (where a.status <> 'suppressed'), 0.00) as text),
    count(*) filter (where a.status = 'suppressed'),
    (
        select count(*) from ops.service_actions as c
        where c.rating_month = $1 and c.action_type = 'rebate_clawback'
    ),
    (
        select cast(coalesce(sum(cast(c.payload ->> 'clawback' as numeric)), 0.00) as text)
        from ops.service_actions as c
        where c.rating_month = $1 and c.action_type = 'rebate_clawback'
    )
from ops.arrears_rebates as l
left join ops.service_actions as a on a.action_id = l.action_id
where l.rating_month = $1
