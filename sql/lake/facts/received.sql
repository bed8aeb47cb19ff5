-- The money received before the cut-off, less what was taken back before it.
-- One row per payment with something left. bill_id is null where the customer named no bill, or one that was cancelled.
-- Reads bills, payments. Parameters: as_of.
with reversed as (
    select
        reverses_payment_id as payment_id,
        sum(amount) as amount
    from payments
    where reverses_payment_id is not null
        and paid_on < :as_of
    group by reverses_payment_id
),

cancelled as (
    select distinct cancels_bill_id as bill_id
    from bills
    where cancels_bill_id is not null
        and issued_on < :as_of
)

select
    p.payment_id,
    p.customer_id,
    case when c.bill_id is null then p.bill_id end as bill_id,
    p.paid_on,
    p.amount - coalesce(r.amount, 0) as amount
from payments as p
left join reversed as r on r.payment_id = p.payment_id
left join cancelled as c on c.bill_id = p.bill_id
where p.reverses_payment_id is null
    and p.paid_on < :as_of
    and p.amount > coalesce(r.amount, 0)
