-- The money of a month by segment and region, from the parts computed range after range.
-- One row per segment and region.
-- Reads money (the rows of month_receivables, of every range).

select
    segment,
    region,
    cast(sum(billed) as decimal(18, 2)) as billed,
    cast(sum(billed_booked_later) as decimal(18, 2)) as billed_booked_later,
    cast(sum(collected) as decimal(18, 2)) as collected,
    cast(sum(collected_booked_later) as decimal(18, 2)) as collected_booked_later,
    cast(sum(receivable) as decimal(18, 2)) as receivable,
    cast(sum(overdue) as decimal(18, 2)) as overdue
from money
group by segment, region
