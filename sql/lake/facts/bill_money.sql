-- Bills side by side with the money that names them: one row per customer and bill_id that stands on a bill, on a
-- payment or on both.
--   has_bill                      the bill stands and asks for money; else the columns of the bill are null
--   payments, received            how many payments of the customer name it, and what they add up to
--   first_paid_on, last_paid_on   the days of the first and of the last of them
-- Reads live_bills, received. Parameters: as_of.
with paid as (
    select
        customer_id,
        bill_id,
        count(*) as payments,
        cast(sum(amount) as decimal(18, 2)) as received,
        min(paid_on) as first_paid_on,
        max(paid_on) as last_paid_on
    from received
    where bill_id is not null
    group by customer_id, bill_id
),

billed as (
    select *
    from live_bills
    where amount > 0
)

select
    coalesce(b.customer_id, p.customer_id) as customer_id,
    coalesce(b.bill_id, p.bill_id) as bill_id,
    b.billing_month,
    b.issued_on,
    b.due_on,
    b.amount,
    b.months,
    b.bill_id is not null as has_bill,
    coalesce(p.payments, 0) as payments,
    coalesce(p.received, cast(0 as decimal(18, 2))) as received,
    p.first_paid_on,
    p.last_paid_on
from billed as b
full join paid as p
    on p.customer_id = b.customer_id
    and p.bill_id = b.bill_id
