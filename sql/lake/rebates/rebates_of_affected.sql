-- What a campaign gives back to the customers of whom something became known after it, before its budget.
-- One row per customer; 0 for one no longer in arrears.
-- Reads affected (customer_id), rebate_earned. Parameters: as_of, settlement_tolerance, window_start, share, rate, cap.

select
    a.customer_id,
    cast(coalesce(r.opening_arrears, 0) as decimal(18, 2)) as opening_arrears,
    cast(coalesce(r.repaid, 0) as decimal(18, 2)) as repaid,
    cast(coalesce(r.earned, 0) as decimal(18, 2)) as rebate
from affected as a
left join rebate_earned as r on r.customer_id = a.customer_id
