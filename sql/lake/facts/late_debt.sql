-- How much old debt a customer had open, and when: one row per span of days in which it stayed the same and was not
-- nothing, from from_on to the day before until_on (null: to the cut-off and beyond).
--   debt             what was open of the bills that had passed their customer's days past due by then
--   is_in_register   said by the arrears register alone, of a month end at which the customer had no bills yet
-- A bill that the register calls disputed in the month in which it gets old, gets old when the dispute is over. Of what
-- the register calls overdue, only as much is old as was overdue at every month end of those days.
-- Reads customers, bill_status, payments, credited, arrears_register, families.
-- Parameters: as_of, settlement_tolerance.
with limits as (
    select
        c.customer_id,
        f.days_past_due
    from customers as c
    inner join families as f on f.segment = c.segment
),

disputed_months as (
    select
        customer_id,
        month,
        date_diff('month', cast('1900-01-01' as date), month)
        - row_number() over (partition by customer_id order by month) as spell
    from (
        select distinct
            customer_id,
            cast(date_trunc('month', as_of) as date) as month
        from arrears_register
        where is_disputed
    ) as months
),

disputes as (
    select
        customer_id,
        min(month) as from_on,
        cast(max(month) + interval 1 month as date) as until_on
    from disputed_months
    group by customer_id, spell
),

aged_bills as (
    select
        b.bill_id,
        b.customer_id,
        b.amount,
        b.settled_on,
        b.written_off,
        b.written_off_on,
        cast(b.due_on + l.days_past_due * interval 1 day as date) as reached_on
    from bill_status as b
    inner join limits as l on l.customer_id = b.customer_id
    where b.settled_on is null or b.settled_on > b.due_on
),

old_bills as (
    select
        a.bill_id,
        a.customer_id,
        a.amount,
        a.written_off,
        a.written_off_on,
        coalesce(d.until_on, a.reached_on) as reached_on
    from aged_bills as a
    left join disputes as d
        on d.customer_id = a.customer_id
        and a.reached_on >= d.from_on
        and a.reached_on < d.until_on
    where coalesce(d.until_on, a.reached_on) < :as_of
        and (a.settled_on is null or a.settled_on > coalesce(d.until_on, a.reached_on))
),

their_payments as (
    select
        payment_id,
        customer_id,
        bill_id,
        paid_on,
        amount,
        reverses_payment_id
    from payments
    where paid_on < :as_of
        and customer_id in (select customer_id from old_bills)
),

-- Every movement of money on these bills on its own day: what was taken back later had paid the bill until then.
movements as (
    select
        o.customer_id,
        o.bill_id,
        o.reached_on as moved_on,
        o.amount
    from old_bills as o
    union all
    select
        o.customer_id,
        o.bill_id,
        greatest(o.reached_on, p.paid_on) as moved_on,
        case when p.reverses_payment_id is null then -p.amount else p.amount end as amount
    from old_bills as o
    inner join their_payments as p on p.customer_id = o.customer_id
    left join their_payments as t on t.payment_id = p.reverses_payment_id
    where trim(case when t.payment_id is null then p.bill_id else t.bill_id end) = o.bill_id
        and o.bill_id <> ''
    union all
    select
        o.customer_id,
        o.bill_id,
        greatest(o.reached_on, c.paid_on) as moved_on,
        -c.amount as amount
    from old_bills as o
    inner join credited as c on c.customer_id = o.customer_id and c.bill_id = o.bill_id
    union all
    select
        customer_id,
        bill_id,
        greatest(reached_on, written_off_on) as moved_on,
        -written_off as amount
    from old_bills
    where written_off_on is not null
),

open_by_bill as (
    select
        customer_id,
        bill_id,
        moved_on,
        greatest(0, sum(sum(amount)) over (partition by customer_id, bill_id order by moved_on)) as open
    from movements
    group by customer_id, bill_id, moved_on
),

changes as (
    select
        customer_id,
        moved_on,
        sum(change) as change
    from (
        select
            customer_id,
            moved_on,
            open - coalesce(lag(open) over (partition by customer_id, bill_id order by moved_on), 0) as change
        from open_by_bill
    ) as by_bill
    group by customer_id, moved_on
),

spans as (
    select
        customer_id,
        moved_on as from_on,
        lead(moved_on) over (partition by customer_id order by moved_on) as until_on,
        sum(change) over (partition by customer_id order by moved_on) as debt
    from changes
    where change <> 0
)

select
    customer_id,
    false as is_in_register,
    from_on,
    until_on,
    cast(debt as decimal(18, 2)) as debt
from spans
where debt > 0
union all
select
    r.customer_id,
    true as is_in_register,
    r.as_of as from_on,
    cast(r.as_of + interval 1 day as date) as until_on,
    min(e.amount_overdue) as debt
from arrears_register as r
inner join limits as l on l.customer_id = r.customer_id
inner join arrears_register as e
    on e.customer_id = r.customer_id
    and e.as_of <= r.as_of
    and date_diff('day', e.as_of, r.as_of) < l.days_past_due
where r.days_past_due >= l.days_past_due
    and not r.is_disputed
    and not r.is_proved_by_bills
group by r.customer_id, r.as_of
having min(e.amount_overdue) > 0
