-- The money received before the cut-off, less what was taken back before it.
-- One row per payment with something left: bill_id is the bill that the payment names, there or not (null: none).
-- A payment counts from its value date on, whenever it was recorded.
-- Reads payments. Parameters: as_of.
with taken_back as (
    select
        reverses_payment_id as payment_id,
        sum(amount) as amount
    from payments
    where reverses_payment_id is not null
        and paid_on < :as_of
    group by reverses_payment_id
)

select
    p.payment_id,
    p.customer_id,
    -- Few have blanks around them, and looking for those takes a tenth of what trimming takes.
    nullif(case when p.bill_id like ' %' or p.bill_id like '% ' then trim(p.bill_id) else p.bill_id end, '') as bill_id,
    p.paid_on,
    p.amount - coalesce(r.amount, 0) as amount
from payments as p
left join taken_back as r on r.payment_id = p.payment_id
where p.reverses_payment_id is null
    and p.paid_on < :as_of
    and p.amount > coalesce(r.amount, 0)
