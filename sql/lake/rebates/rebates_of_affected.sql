-- What a campaign gives back to the customers a reversal concerns, before its budget.
-- One row per customer; 0 for one no longer in arrears.
-- Reads affected (customer_id), rebate_earned. Parameters: as_of, history_start, window_start, share, rate, cap.

select
    a.customer_id,
    cast(coalesce(r.earned, 0) as decimal(18, 2)) as rebate
from affected as a
left join rebate_earned as r on r.customer_id = a.customer_id
