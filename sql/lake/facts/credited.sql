-- Which credit pays which bill: one row per bill and credit that pays some of it (bill_id, its due_on, the credit's
-- paid_on, amount).
-- A credit is money that names no bill, or what a bill received beyond its amount. Credits pay a customer's open bills
-- in chronological order, from the issue of the first bill in sight (cancelled or not) on.
-- Reads named_money, received, bills. Parameters: as_of, history_start.
with credits as (
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
    from named_money
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
    from named_money
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
)

select
    b.bill_id,
    b.due_on,
    c.paid_on,
    least(b.ends_at, c.ends_at) - greatest(b.ends_at - b.open, c.ends_at - c.amount) as amount
from bill_line as b
inner join credit_line as c
    on c.customer_id = b.customer_id
    and c.ends_at > b.ends_at - b.open
    and c.ends_at - c.amount < b.ends_at
