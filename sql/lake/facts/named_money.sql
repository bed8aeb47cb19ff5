-- The money that names a bill. One row per live bill that asks for money: payments (how many), received (may be more
-- than the amount), first_paid_on and last_paid_on.
-- Reads live_bills, received. Parameters: as_of, history_start.
with per_bill as (
    select
        bill_id,
        count(*) as payments,
        sum(amount) as received,
        min(paid_on) as first_paid_on,
        max(paid_on) as last_paid_on
    from received
    where bill_id is not null
    group by bill_id
)

select
    b.bill_id,
    b.customer_id,
    b.billing_month,
    b.issued_on,
    b.due_on,
    b.amount,
    coalesce(p.payments, 0) as payments,
    cast(coalesce(p.received, 0) as decimal(18, 2)) as received,
    p.first_paid_on,
    p.last_paid_on
from live_bills as b
left join per_bill as p on p.bill_id = b.bill_id
where b.amount > 0
