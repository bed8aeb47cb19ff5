-- One row a published month and customer of whom the bills and the arrears register say different things at its end.
-- Reads ops.arrears_differences. Filter by rating_month.

select
    rating_month,
    customer_id,
    segment,
    outcome,
    overdue_by_bills,
    overdue_by_register,
    overdue_by_register - overdue_by_bills as difference
from ops.arrears_differences
