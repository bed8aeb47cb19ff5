-- What has become of each bill by the cut-off, worked out from bills, payments and reversals alone.
-- One row per live bill that asks for money: paid (never above the amount), unpaid, paid_by_due (paid on the due date
-- or before), settled_on (the day the amount was complete; null: still open), credit and credit_on (the part of it that
-- came from money with no bill of its own, and the day the last of that was used).
-- Money that names a bill pays that bill; what is left over, and money that names none, is a credit.
-- Reads named_money, received, credited. Parameters: as_of, history_start.
--
-- Paid in parts, and either across the due date or beyond the amount: the parts have to be looked at one by one.
with parts as (
    select
        d.bill_id,
        d.due_on,
        d.amount,
        r.paid_on,
        r.amount as part,
        sum(r.amount) over (partition by d.bill_id order by r.paid_on, r.payment_id) as received
    from named_money as d
    inner join received as r on r.bill_id = d.bill_id
    where d.payments > 1
        and (d.received > d.amount or (d.first_paid_on <= d.due_on and d.last_paid_on > d.due_on))
),

in_parts as (
    select
        bill_id,
        sum(case when paid_on <= due_on then part else 0 end) as received_by_due,
        min(case when received >= amount then paid_on end) as completed_on
    from parts
    group by bill_id
),

credit as (
    select
        bill_id,
        sum(amount) as credit,
        sum(case when paid_on <= due_on then amount else 0 end) as credit_by_due,
        max(paid_on) as credit_on
    from credited
    group by bill_id
)

select
    d.bill_id,
    d.customer_id,
    d.billing_month,
    d.issued_on,
    d.due_on,
    d.amount,
    cast(least(d.received, d.amount) + coalesce(c.credit, 0) as decimal(18, 2)) as paid,
    cast(d.amount - least(d.received, d.amount) - coalesce(c.credit, 0) as decimal(18, 2)) as unpaid,
    cast(
        least(
            d.amount,
            coalesce(c.credit_by_due, 0) + coalesce(p.received_by_due, case when d.last_paid_on <= d.due_on then d.received else 0 end)
        )
        as decimal(18, 2)
    ) as paid_by_due,
    cast(coalesce(c.credit, 0) as decimal(18, 2)) as credit,
    c.credit_on,
    case
        when p.completed_on is not null then p.completed_on
        when d.received >= d.amount then d.last_paid_on
        when d.received + c.credit >= d.amount then greatest(coalesce(d.last_paid_on, c.credit_on), c.credit_on)
    end as settled_on
from named_money as d
left join in_parts as p on p.bill_id = d.bill_id
left join credit as c on c.bill_id = d.bill_id
