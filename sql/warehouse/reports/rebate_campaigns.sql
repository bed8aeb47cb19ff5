-- One row a rating month and rebate campaign that was worked out in it: what came back of the arrears, and what for.
-- Reads ops.arrears_rebates.

select
    r.rating_month,
    r.campaign,
    count(*) as customers,
    sum(r.opening_arrears) as opening_arrears,
    sum(r.repaid) as repaid,
    sum(r.repaid) / nullif(sum(r.opening_arrears), 0) as repaid_share,
    count(*) filter (where r.rebate > 0) as customers_granted,
    sum(r.earned) as earned,
    sum(r.rebate) as rebate,
    sum(r.late_rebate) as late_rebate,
    sum(case when r.is_paid then r.rebate else 0 end) as rebate_paid,
    sum(r.clawback) as clawback
from ops.arrears_rebates as r
group by r.rating_month, r.campaign
