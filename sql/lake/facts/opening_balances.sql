-- What customers owed when the lake begins (negative: had as credit), as far as the lake can tell: one row per customer
-- of whom it is not nothing and who was connected before, or has an account balance of before (having come back since).
-- The earliest account balance counts, less the bills issued and plus the money received up to its day, as they stood on
-- that day: so the account ties to it. What was recorded later than the balance is not in it. Where the source has no
-- account balances, the opening balance is what makes the overdue amount at the first month end of the arrears register
-- equal the register's. Of a customer whom that month end does not list nothing is known, and the opening balance is 0.
-- owed_since: the day before the lake begins.
-- Reads customers, bills, payments, account_balances, arrears_register, lake_begins (one row: records_begin, the first day
-- of the lake's bills and payments; register_begins and register_known_before, the first month end of the register in
-- the lake and the instant up to which that knew at least, null where there are account balances). Parameters: as_of.
with earliest as (
    select
        b.customer_id,
        b.as_of,
        arg_max(b.balance, b.recorded_at) as balance,
        max(b.recorded_at) as known_at
    from account_balances as b
    inner join (
        select
            customer_id,
            min(as_of) as as_of
        from account_balances
        where as_of < :as_of
        group by customer_id
    ) as f on f.customer_id = b.customer_id and f.as_of = b.as_of
    group by b.customer_id, b.as_of
),

known as (
    select
        c.customer_id,
        coalesce(e.as_of, l.register_begins) as as_of,
        cast(l.records_begin - interval 1 day as date) as owed_since,
        e.as_of is null as is_by_register,
        coalesce(e.known_at, greatest(l.register_known_before, r.recorded_at)) as known_at,
        coalesce(e.balance, case when r.amount_overdue > 0 then r.amount_overdue else 0 end) as balance
    from customers as c
    cross join lake_begins as l
    left join earliest as e on e.customer_id = c.customer_id
    left join arrears_register as r
        on r.customer_id = c.customer_id
        and r.as_of = l.register_begins
    where (c.connected_on < l.records_begin or e.as_of < l.records_begin)
        and coalesce(e.as_of, l.register_begins) < :as_of
        and (e.customer_id is not null or r.customer_id is not null)
),

last_known as (
    select max(as_of) as as_of
    from known
),

cancelled as (
    select
        cancels_bill_id as bill_id,
        min(issued_on) as cancelled_on,
        min(recorded_at) as recorded_at
    from bills
    where cancels_bill_id is not null
        and issued_on <= (select as_of from last_known)
    group by cancels_bill_id
),

billed as (
    select
        k.customer_id,
        sum(b.amount) as amount
    from known as k
    inner join bills as b on b.customer_id = k.customer_id
    left join cancelled as x on x.bill_id = b.bill_id
    where b.issued_on <= (select as_of from last_known)
        and b.issued_on <= k.as_of
        and b.recorded_at <= k.known_at
        and (b.amount > 0 or b.cancels_bill_id is null)
        and (x.cancelled_on is null or x.cancelled_on > k.as_of or x.recorded_at > k.known_at)
        and (not k.is_by_register or b.amount < 0 or b.due_on <= k.as_of)
    group by k.customer_id
),

-- By the register only what is due counts, and so does no money for a bill that was due later.
not_due as (
    select
        k.customer_id,
        b.bill_id
    from known as k
    inner join bills as b on b.customer_id = k.customer_id
    where k.is_by_register
        and b.due_on > k.as_of
        and b.amount > 0
),

paid as (
    select
        k.customer_id,
        sum(
            case
                when b.bill_id is not null then 0
                when p.reverses_payment_id is null then p.amount
                else -p.amount
            end
        ) as amount
    from known as k
    inner join payments as p on p.customer_id = k.customer_id
    left join not_due as b
        on b.customer_id = p.customer_id
        and b.bill_id = p.bill_id
    where p.paid_on <= (select as_of from last_known)
        and p.paid_on <= k.as_of
        and p.recorded_at <= k.known_at
    group by k.customer_id
),

tied as (
    select
        k.customer_id,
        k.owed_since,
        k.is_by_register,
        k.balance as known_balance,
        coalesce(b.amount, 0) - coalesce(p.amount, 0) as moved
    from known as k
    left join billed as b on b.customer_id = k.customer_id
    left join paid as p on p.customer_id = k.customer_id
)

select
    customer_id,
    owed_since,
    cast(known_balance - moved as decimal(18, 2)) as amount
from tied
where known_balance <> moved
    -- Nothing overdue, and money to spare: an advance is as likely as an old debt that it paid.
    and (not is_by_register or known_balance > 0 or moved > 0)
