-- A customer's credits: money without a bill of its own. One row per credit (customer_id, credit_id, paid_on, amount).
--   a payment that names no live bill of the customer that asks for money, from the day it was paid
--   what a payment exceeds the bill by that it names, from that day
--   a credit note, from the day it was issued
--   an opening balance below zero, from the day before the lake begins
-- Reads live_bills, received, bill_money, opening_balances. Parameters: as_of.
with exceeding as (
    select
        m.customer_id,
        r.payment_id,
        r.paid_on,
        m.amount as billed,
        r.amount as part,
        sum(r.amount) over (
            partition by m.customer_id, m.bill_id
            order by r.paid_on, r.payment_id
            rows between unbounded preceding and current row
        ) as received
    from bill_money as m
    inner join received as r on r.customer_id = m.customer_id and r.bill_id = m.bill_id
    where m.has_bill
        and m.received > m.amount
)

select
    customer_id,
    'payment ' || payment_id as credit_id,
    paid_on,
    amount
from received
where bill_id is null
union all
select
    r.customer_id,
    'payment ' || r.payment_id as credit_id,
    r.paid_on,
    r.amount
from received as r
inner join bill_money as m on m.customer_id = r.customer_id and m.bill_id = r.bill_id
where not m.has_bill
union all
select
    customer_id,
    'payment ' || payment_id as credit_id,
    paid_on,
    cast(least(part, received - billed) as decimal(18, 2)) as amount
from exceeding
where received > billed
union all
select
    customer_id,
    'credit note ' || bill_id as credit_id,
    issued_on as paid_on,
    cast(-amount as decimal(18, 2)) as amount
from live_bills
where amount < 0
union all
select
    customer_id,
    'opening balance' as credit_id,
    owed_since as paid_on,
    cast(-amount as decimal(18, 2)) as amount
from opening_balances
where amount < 0
