-- Which credit pays which bill: one row per bill and credit that pays some of it (bill_id, '' for the opening balance;
-- its customer and due_on, the credit's paid_on, amount).
-- Credits, the earliest first, pay a customer's opening balance and then the open bills, oldest due date first, those
-- issued later too. A bill of which no more than the tolerance is missing is paid, and gets no credit.
-- Reads bill_money, credits, opening_balances. Parameters: as_of, settlement_tolerance.
--
-- Lay a customer's open amounts and credits end to end on one line each: where they overlap, the credit pays the bill.
with recursive bill_line as (
    select
        customer_id,
        bill_id,
        due_on,
        open,
        cast(
            sum(open) over (
                partition by customer_id
                order by place, due_on, issued_on, bill_id
                rows between unbounded preceding and current row
            )
            as decimal(18, 2)
        ) as ends_at
    from (
        select
            customer_id,
            bill_id,
            due_on,
            issued_on,
            amount - received as open,
            1 as place
        from bill_money
        where has_bill
            and amount - received > :settlement_tolerance
            and customer_id in (select customer_id from credits)
        union all
        select
            customer_id,
            '' as bill_id,
            owed_since as due_on,
            cast(null as date) as issued_on,
            amount as open,
            0 as place
        from opening_balances
        where amount > :settlement_tolerance
    ) as owing
),

credit_line as (
    select
        customer_id,
        paid_on,
        amount,
        cast(
            sum(amount) over (
                partition by customer_id
                order by paid_on, credit_id
                rows between unbounded preceding and current row
            )
            as decimal(18, 2)
        ) as ends_at,
        row_number() over (partition by customer_id order by paid_on, credit_id) as place
    from credits
),

-- Few credits end within the tolerance of a bill's end. What they leave missing is never paid, and whatever the later
-- credits of that customer pay moves by so much: their line is walked credit by credit.
ending_short as (
    select distinct c.customer_id
    from credit_line as c
    inner join bill_line as b
        on b.customer_id = c.customer_id
        and b.ends_at > c.ends_at
        and b.ends_at - b.open < c.ends_at
    where b.ends_at - c.ends_at <= :settlement_tolerance
),

waived as (
    select
        customer_id,
        cast(0 as bigint) as place,
        cast(0 as decimal(18, 2)) as waived
    from ending_short
    union all
    select
        w.customer_id,
        c.place,
        cast(
            w.waived
            + case
                when b.ends_at - (c.ends_at + w.waived) <= :settlement_tolerance then b.ends_at - (c.ends_at + w.waived)
                else 0
            end
            as decimal(18, 2)
        ) as waived
    from waived as w
    inner join credit_line as c
        on c.customer_id = w.customer_id
        and c.place = w.place + 1
    left join bill_line as b
        on b.customer_id = w.customer_id
        and b.ends_at > c.ends_at + w.waived
        and b.ends_at - b.open < c.ends_at + w.waived
),

placed as (
    select
        c.customer_id,
        c.paid_on,
        c.ends_at - c.amount + coalesce(w.waived, 0) as starts_at,
        c.ends_at + coalesce(w.waived, 0) as ends_at
    from credit_line as c
    left join waived as w
        on w.customer_id = c.customer_id
        and w.place = c.place - 1
)

select
    b.customer_id,
    b.bill_id,
    b.due_on,
    c.paid_on,
    cast(least(b.ends_at, c.ends_at) - greatest(b.ends_at - b.open, c.starts_at) as decimal(18, 2)) as amount
from bill_line as b
inner join placed as c
    on c.customer_id = b.customer_id
    and c.ends_at > b.ends_at - b.open
    and c.starts_at < b.ends_at
