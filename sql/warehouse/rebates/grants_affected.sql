-- Rows of campaigns of earlier months that something learnt later concerns: a payment of the campaign's window is in learnt.
-- One row: a campaign, its terms and a customer.
-- Parameters: $1 (the month's first day).

select l.campaign, cast(coalesce(l.terms, a.payload -> 'terms') as text) as terms, l.customer_id
from ops.arrears_rebates as l
left join ops.service_actions as a on a.action_id = l.action_id
where l.rating_month < $1
    and exists (
        select from learnt as r
        where r.customer_id = l.customer_id
            and r.paid_on >= to_date(coalesce(l.terms, a.payload -> 'terms') ->> 'first_month', 'YYYY-MM')
            and r.paid_on < l.rating_month + interval '1 month'
    )
order by l.campaign, terms, l.customer_id
