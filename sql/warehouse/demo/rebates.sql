-- What a month grants of rebates. One row. Parameters: month.

select
    count(*) as customers,
    coalesce(sum(r.rebate), 0) as rebate
from ops.arrears_rebates as r
where r.rating_month = :month
    and r.rebate > 0
