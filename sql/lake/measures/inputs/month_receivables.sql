-- The money of a month by segment and region: one row per pair; region is empty where it is not known.
--   billed, collected   amounts of bills issued, and of payments made less those taken back, in the month
--   receivable, overdue what bills lack at the cut-off, and of that what was due before it
-- Reads customers, bills, payments, bill_status. Parameters: as_of, months_ago_1, history_start.
with movements as (
    select
        customer_id,
        amount as billed,
        0 as collected,
        0 as receivable,
        0 as overdue
    from bills
    where issued_on >= :months_ago_1
        and issued_on < :as_of
    union all
    select
        customer_id,
        0 as billed,
        case when reverses_payment_id is null then amount else -amount end as collected,
        0 as receivable,
        0 as overdue
    from payments
    where paid_on >= :months_ago_1
        and paid_on < :as_of
    union all
    select
        customer_id,
        0 as billed,
        0 as collected,
        unpaid as receivable,
        case when due_on < :as_of then unpaid else 0 end as overdue
    from bill_status
    where unpaid > 0
)

select
    c.segment,
    coalesce(c.region, '') as region,
    cast(sum(m.billed) as decimal(18, 2)) as billed,
    cast(sum(m.collected) as decimal(18, 2)) as collected,
    cast(sum(m.receivable) as decimal(18, 2)) as receivable,
    cast(sum(m.overdue) as decimal(18, 2)) as overdue
from movements as m
inner join customers as c on c.customer_id = m.customer_id
group by
    c.segment,
    coalesce(c.region, '')
