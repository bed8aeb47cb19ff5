-- Debts that grew old: one row per bill still open its customer's days past due after the due date, and one per
-- month end at which the arrears register shows as much (is_in_register: the same money, seen a second time).
-- reached_on is the day it got that old, cleared_on the day it was paid (null: not by the cut-off), debt what was then
-- open. Debt that the register calls disputed in that month is left out.
-- Reads customers, bill_status, received, credited, arrears_register, families. Parameters: as_of, history_start.
with limits as (
    select
        c.customer_id,
        f.days_past_due
    from customers as c
    inner join families as f on f.segment = c.segment
),

disputed as (
    select distinct
        customer_id,
        date_trunc('month', as_of) as month
    from arrears_register
    where is_disputed
),

aged_bills as (
    select
        b.bill_id,
        b.customer_id,
        b.amount,
        b.settled_on,
        cast(b.due_on + l.days_past_due * interval 1 day as date) as reached_on
    from bill_status as b
    inner join limits as l on l.customer_id = b.customer_id
    where b.settled_on is null or b.settled_on > b.due_on
),

old_bills as (
    select *
    from aged_bills
    where reached_on < :as_of
        and (settled_on is null or settled_on > reached_on)
),

paid_before as (
    select
        o.bill_id,
        sum(m.amount) as amount
    from old_bills as o
    inner join (
        select
            bill_id,
            paid_on,
            amount
        from received
        where bill_id is not null
        union all
        select
            bill_id,
            paid_on,
            amount
        from credited
    ) as m on m.bill_id = o.bill_id
    where m.paid_on <= o.reached_on
    group by o.bill_id
),

debts as (
    select
        o.customer_id,
        false as is_in_register,
        o.reached_on,
        o.settled_on as cleared_on,
        o.amount - coalesce(p.amount, 0) as debt
    from old_bills as o
    left join paid_before as p on p.bill_id = o.bill_id
    union all
    select
        a.customer_id,
        true as is_in_register,
        a.as_of as reached_on,
        cast(a.as_of + interval 1 day as date) as cleared_on,
        a.amount_overdue as debt
    from arrears_register as a
    inner join limits as l on l.customer_id = a.customer_id
    where a.days_past_due >= l.days_past_due
)

select
    d.customer_id,
    d.is_in_register,
    d.reached_on,
    d.cleared_on,
    d.debt
from debts as d
left join disputed as x
    on x.customer_id = d.customer_id
    and x.month = date_trunc('month', d.reached_on)
where d.debt > 0
    and x.customer_id is null
