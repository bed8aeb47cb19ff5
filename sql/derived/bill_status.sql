-- What has become of each bill by the cut-off, worked out from bills, payments and reversals alone.
-- One row per live bill: paid (never above the amount), unpaid, paid_by_due (paid on the due date or before),
-- settled_on (the day the amount was complete; null: still open), credit and credit_on (the part of it that came
-- from money with no bill of its own, and the day the last of that was used).
-- Money that names a bill pays that bill. What is left over, and money that names none, is a credit: credits pay a
-- customer's open bills oldest first, from the issue of the first bill in sight (cancelled or not) on.
-- Reads live_bills, received, bills. Parameters: as_of, history_start.
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
),

direct as (
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
),

-- Paid in parts, and either across the due date or beyond the amount: the parts have to be looked at one by one.
parts as (
    select
        d.bill_id,
        d.due_on,
        d.amount,
        r.paid_on,
        r.amount as part,
        sum(r.amount) over (partition by d.bill_id order by r.paid_on, r.payment_id) as received
    from direct as d
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

credits as (
    select
        customer_id,
        payment_id as credit_id,
        paid_on,
        amount
    from received
    where bill_id is null
    union all
    select
        customer_id,
        bill_id as credit_id,
        last_paid_on as paid_on,
        received - amount as amount
    from direct
    where received > amount
),

-- Lay a customer's credits and open amounts end to end on one line each: where they overlap, the credit pays the bill.
bill_line as (
    select
        customer_id,
        bill_id,
        due_on,
        amount - received as open,
        sum(amount - received) over (partition by customer_id order by due_on, issued_on, bill_id) as ends_at
    from direct
    where received < amount
        and customer_id in (select customer_id from credits)
),

credit_line as (
    select
        c.customer_id,
        c.paid_on,
        c.amount,
        sum(c.amount) over (partition by c.customer_id order by c.paid_on, c.credit_id) as ends_at
    from credits as c
    inner join (
        select
            customer_id,
            min(issued_on) as issued_on
        from bills
        where issued_on < :as_of
            and due_on >= :history_start
            and customer_id in (select customer_id from credits)
        group by customer_id
    ) as f on f.customer_id = c.customer_id
    where c.paid_on >= f.issued_on
),

credited as (
    select
        b.bill_id,
        sum(least(b.ends_at, c.ends_at) - greatest(b.ends_at - b.open, c.ends_at - c.amount)) as credit,
        sum(
            case
                when c.paid_on <= b.due_on
                    then least(b.ends_at, c.ends_at) - greatest(b.ends_at - b.open, c.ends_at - c.amount)
                else 0
            end
        ) as credit_by_due,
        max(c.paid_on) as credit_on
    from bill_line as b
    inner join credit_line as c
        on c.customer_id = b.customer_id
        and c.ends_at > b.ends_at - b.open
        and c.ends_at - c.amount < b.ends_at
    group by b.bill_id
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
from direct as d
left join in_parts as p on p.bill_id = d.bill_id
left join credited as c on c.bill_id = d.bill_id
