-- Enters the receivables of a month, from fresh. One row: a segment and region.
-- Parameters: $1 (the month's first day), $2 (the publication's id).

insert into ops.receivables (
    rating_month, segment, region, billed, billed_booked_later, collected, collected_booked_later, receivable, overdue,
    publication_id
)
select
    $1, segment, region, billed, billed_booked_later, collected, collected_booked_later, receivable, overdue,
    cast($2 as uuid)
from fresh
