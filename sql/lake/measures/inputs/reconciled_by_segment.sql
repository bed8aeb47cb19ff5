-- Bills against the arrears register by segment: one row per segment and outcome, with customers, what is overdue by each
-- side, and difference, by how much they are apart customer by customer.
-- Reads compared (the rows of arrears_compared).
select
    segment,
    outcome,
    count(*) as customers,
    cast(sum(overdue_by_bills) as decimal(18, 2)) as overdue_by_bills,
    cast(sum(overdue_by_register) as decimal(18, 2)) as overdue_by_register,
    cast(sum(abs(overdue_by_bills - overdue_by_register)) as decimal(18, 2)) as difference
from compared
group by
    segment,
    outcome
