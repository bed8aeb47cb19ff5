-- Enters a campaign's computed rebates in the ledger, with the actions in decided. One row: a row that was written.
-- Parameters: $1 (the campaign), $2 (the month's first day), $3 (its terms, JSON).

insert into ops.arrears_rebates as l
    (campaign, customer_id, rating_month, opening_arrears, received, repaid, earned, rebate, action_id, terms)
select $1, c.customer_id, $2, c.opening_arrears, c.received, c.repaid, c.earned, c.rebate, d.action_id,
    cast($3 as jsonb)
from computed as c
left join decided as d on d.customer_id = c.customer_id
order by c.customer_id
on conflict (campaign, customer_id) do update
set rating_month = excluded.rating_month, opening_arrears = excluded.opening_arrears, received = excluded.received,
    repaid = excluded.repaid, earned = excluded.earned, rebate = excluded.rebate, action_id = excluded.action_id,
    terms = excluded.terms,
    computed_at = now()
where (l.rating_month, l.opening_arrears, l.received, l.repaid, l.earned, l.rebate, l.action_id, l.terms) is distinct from (
    excluded.rating_month, excluded.opening_arrears, excluded.received, excluded.repaid, excluded.earned,
    excluded.rebate, excluded.action_id, excluded.terms
)
returning 1
