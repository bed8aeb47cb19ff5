-- What is overdue at the month's end by the bills, held against the arrears register: one row per customer of whom either
-- says something. No row where the register has no month end in the month.
--   outcome   agree (no further apart than the tolerance), differ, bills_only, register_only
-- Reads in_arrears (the rows of debts, of every range), arrears, customers.
-- Parameters: as_of, months_ago_1, settlement_tolerance.
with month_end as (
    select max(as_of) as as_of
    from arrears
    where as_of >= :months_ago_1
        and as_of < :as_of
),

register as (
    select
        a.customer_id,
        arg_max(a.amount_overdue, a.recorded_at) as amount
    from arrears as a
    inner join month_end as m on m.as_of = a.as_of
    group by a.customer_id
),

either_side as (
    select
        customer_id,
        sum(by_bills) as overdue_by_bills,
        sum(by_register) as overdue_by_register
    from (
        select
            customer_id,
            amount_overdue as by_bills,
            cast(0 as decimal(18, 2)) as by_register
        from in_arrears
        union all
        select
            customer_id,
            cast(0 as decimal(18, 2)) as by_bills,
            amount as by_register
        from register
    ) as amounts
    where (select as_of from month_end) is not null
    group by customer_id
)

select
    e.customer_id,
    coalesce(c.segment, '') as segment,
    case
        when abs(e.overdue_by_bills - e.overdue_by_register) <= :settlement_tolerance then 'agree'
        when e.overdue_by_register = 0 then 'bills_only'
        when e.overdue_by_bills = 0 then 'register_only'
        else 'differ'
    end as outcome,
    cast(e.overdue_by_bills as decimal(18, 2)) as overdue_by_bills,
    cast(e.overdue_by_register as decimal(18, 2)) as overdue_by_register
from either_side as e
left join customers as c on c.customer_id = e.customer_id
where e.overdue_by_bills > 0
    or e.overdue_by_register > 0
