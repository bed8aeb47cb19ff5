-- Enters the customers of whom bills and register say different things in a month, from fresh. One row: a customer.
-- Parameters: $1 (the month's first day), $2 (the publication's id).

insert into ops.arrears_differences (
    rating_month, customer_id, segment, outcome, overdue_by_bills, overdue_by_register, publication_id
)
select $1, customer_id, segment, outcome, overdue_by_bills, overdue_by_register, cast($2 as uuid)
from fresh
