-- How much of what was billed comes in, over 24 months?
-- Chart: lines; across rating_month, up recovery_rate, turnover on a second axis.

select
    rating_month,
    billed,
    collected,
    recovery_rate,
    receivable,
    overdue,
    turnover,
    repaid,
    rebate
from report.arrears_recovery
where rating_month > (select max(rating_month) from report.publications where is_current) - interval '24 months'
order by rating_month
