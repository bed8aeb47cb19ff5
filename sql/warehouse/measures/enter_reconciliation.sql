-- Enters how bills and register compare in a month, from fresh. One row: a segment and outcome.
-- Parameters: $1 (the month's first day), $2 (the publication's id).

insert into ops.arrears_reconciliation (
    rating_month, segment, outcome, customers, overdue_by_bills, overdue_by_register, difference, publication_id
)
select $1, segment, outcome, customers, overdue_by_bills, overdue_by_register, difference, cast($2 as uuid)
from fresh
