-- One row a published month up to one, the newest first, 24 at most: money billed, collected and still open, and rebates.
-- Reads report.arrears_recovery. Parameters: month.

select
    r.rating_month,
    r.billed,
    r.collected,
    r.recovery_rate,
    r.receivable,
    r.overdue,
    r.turnover,
    r.repaid,
    r.rebate,
    r.rebate_paid
from report.arrears_recovery as r
where r.rating_month <= :month
order by r.rating_month desc
limit 24
