-- What has become of each bill by the cut-off, worked out from bills, payments and reversals alone, over all the records
-- that the lake knows. One row per live bill that asks for money, and one per opening balance above zero.
--   is_opening_balance   what a customer owed when the lake begins, as a bill due the day before; its bill_id is ''
--   paid                 never above the amount
--   settled_on           the day from which no more than the tolerance was missing (null: still open)
--   unpaid               what is open: amount less paid and written_off
--   written_off          what was waived within the tolerance or written off by the utility, written_off_on in that case
--   paid_by_due          paid on the due date or before
--   became_overdue       what was missing after the due date, where it is more than the tolerance
--   credit, credit_on    the part that came from credits, and the day the last of it was paid
-- Money that names a bill pays that bill; what is left over, and money that names none, is a credit.
-- Reads named_money, received, credited, opening_balances, collection_events.
-- Parameters: as_of, settlement_tolerance.
with credit_by_bill as (
    select
        customer_id,
        bill_id,
        count(*) as credits,
        sum(amount) as credit,
        max(paid_on) as credit_on
    from credited
    group by customer_id, bill_id
),

owed as (
    select
        customer_id,
        bill_id,
        billing_month,
        issued_on,
        due_on,
        amount,
        months,
        false as is_opening_balance,
        payments,
        received,
        first_paid_on,
        last_paid_on
    from named_money
    union all
    select
        customer_id,
        '' as bill_id,
        cast(null as date) as billing_month,
        cast(null as date) as issued_on,
        owed_since as due_on,
        amount,
        0 as months,
        true as is_opening_balance,
        0 as payments,
        cast(0 as decimal(18, 2)) as received,
        cast(null as date) as first_paid_on,
        cast(null as date) as last_paid_on
    from opening_balances
    where amount > 0
),

money as (
    select
        d.*,
        least(d.received, d.amount) + coalesce(c.credit, 0) as paid,
        coalesce(c.credits, 0) as credits,
        coalesce(c.credit, 0) as credit,
        c.credit_on,
        coalesce(greatest(d.last_paid_on, c.credit_on), d.last_paid_on, c.credit_on) as last_on
    from owed as d
    left join credit_by_bill as c
        on c.customer_id = d.customer_id
        and c.bill_id = d.bill_id
),

-- Paid in parts, and complete or not all on the same side of the due date: the parts are looked at one by one.
in_parts as (
    select
        customer_id,
        bill_id,
        due_on,
        amount
    from money
    where payments + credits > 1
        and (
            amount - paid <= :settlement_tolerance
            or (last_on > due_on and (credits > 0 or first_paid_on <= due_on))
        )
),

parts as (
    select
        b.customer_id,
        b.bill_id,
        r.paid_on,
        r.amount
    from in_parts as b
    inner join received as r on r.customer_id = b.customer_id and r.bill_id = b.bill_id
    union all
    select
        b.customer_id,
        b.bill_id,
        c.paid_on,
        c.amount
    from in_parts as b
    inner join credited as c on c.customer_id = b.customer_id and c.bill_id = b.bill_id
),

adding_up as (
    select
        customer_id,
        bill_id,
        paid_on,
        amount,
        sum(amount) over (partition by customer_id, bill_id order by paid_on) as paid
    from parts
),

by_parts as (
    select
        b.customer_id,
        b.bill_id,
        sum(case when a.paid_on <= b.due_on then a.amount else 0 end) as paid_by_due,
        min(case when b.amount - a.paid <= :settlement_tolerance then a.paid_on end) as settled_on
    from in_parts as b
    inner join adding_up as a on a.customer_id = b.customer_id and a.bill_id = b.bill_id
    group by b.customer_id, b.bill_id
),

settled as (
    select
        m.*,
        p.customer_id is not null as is_by_parts,
        case
            when p.customer_id is not null then p.settled_on
            when m.amount - m.paid <= :settlement_tolerance then coalesce(m.last_on, m.due_on)
        end as settled_on,
        least(
            m.amount,
            case
                when p.customer_id is not null then p.paid_by_due
                when m.last_on <= m.due_on then m.paid
                else 0
            end
        ) as paid_by_due
    from money as m
    left join by_parts as p
        on p.customer_id = m.customer_id
        and p.bill_id = m.bill_id
),

-- What the utility wrote off is taken from what was due by then and was never paid, oldest first.
write_offs as (
    select
        customer_id,
        max(occurred_on) as occurred_on,
        case when count(amount) = count(*) then sum(amount) end as amount
    from collection_events
    where event_type = 'write_off'
        and occurred_on < :as_of
    group by customer_id
),

lost as (
    select
        s.customer_id,
        s.bill_id,
        w.occurred_on as written_off_on,
        w.amount as write_off,
        s.amount - s.paid as open,
        sum(s.amount - s.paid) over (
            partition by s.customer_id
            order by s.due_on, s.issued_on, s.bill_id
            rows between unbounded preceding and current row
        ) as ends_at
    from settled as s
    inner join write_offs as w on w.customer_id = s.customer_id
    where s.settled_on is null
        and s.due_on < w.occurred_on
),

written as (
    select
        customer_id,
        bill_id,
        written_off_on,
        least(open, greatest(0, coalesce(write_off, ends_at) - (ends_at - open))) as amount
    from lost
)

select
    s.bill_id,
    s.customer_id,
    s.billing_month,
    s.issued_on,
    s.due_on,
    s.amount,
    s.months,
    s.is_opening_balance,
    cast(s.paid as decimal(18, 2)) as paid,
    s.settled_on,
    cast(case when s.settled_on is null then s.amount - s.paid - coalesce(w.amount, 0) else 0 end as decimal(18, 2)) as unpaid,
    cast(case when s.settled_on is null then coalesce(w.amount, 0) else s.amount - s.paid end as decimal(18, 2)) as written_off,
    case when w.amount > 0 then w.written_off_on end as written_off_on,
    cast(s.paid_by_due as decimal(18, 2)) as paid_by_due,
    cast(
        case
            when s.due_on < :as_of and s.amount - s.paid_by_due > :settlement_tolerance then s.amount - s.paid_by_due
            else 0
        end
        as decimal(18, 2)
    ) as became_overdue,
    cast(s.credit as decimal(18, 2)) as credit,
    s.credit_on
from settled as s
left join written as w
    on w.customer_id = s.customer_id
    and w.bill_id = s.bill_id
