-- What the grade rules go by: one row per rated customer of whom something of it is true at the cut-off.
-- is_new: connected for too short a time. has_unpaid_balance: overdue by the bills, or by the register at the last month
-- end, and not in dispute there. is_on_probation: a default ended lately, by payment, by reconnection, or because it was
-- long ago. Within the memory of its veto: has_theft, has_violation (of any other kind), has_broken_plan,
-- has_long_arrears (debt grew very old, or is).
-- Reads population, bill_status, arrears_register, late_debt, exposure, collection_events, violations.
-- Parameters: as_of, history_start, months_ago_1, months_ago_12, default_memory_start, materiality_floor,
-- materiality_share, new_customer_since, unpaid_above, probation_since, probation_memory_start, theft_since,
-- violation_since, broken_plan_since, long_arrears_since, long_arrears_days.
with debts as (
    select
        customer_id,
        sum(case when due_on < :as_of then unpaid end) as overdue,
        bool_or(
            amount - paid_by_due > :materiality_floor
            and (settled_on is not null or unpaid > :materiality_floor)
            and date_diff('day', due_on, coalesce(settled_on, :as_of)) > :long_arrears_days
            and coalesce(settled_on, :as_of) >= :long_arrears_since
        ) as is_long
    from bill_status
    group by customer_id
),

register as (
    select
        customer_id,
        max(case when as_of >= :months_ago_1 then amount_overdue end) as overdue,
        coalesce(bool_or(as_of >= :months_ago_1 and is_disputed), false) as is_disputed,
        bool_or(
            as_of >= :long_arrears_since
            and days_past_due >= :long_arrears_days
            and amount_overdue > :materiality_floor
            and not is_disputed
        ) as is_long
    from arrears_register
    group by customer_id
),

-- The debts that were old enough for a default at some time of the probation; those seen by bills add up.
past_debt as (
    select
        customer_id,
        greatest(
            coalesce(sum(case when not is_in_register then debt end), 0),
            coalesce(max(case when is_in_register then debt end), 0)
        ) as debt
    from late_debt
    where cleared_on >= :probation_since
    group by customer_id
),

cut_off as (
    select
        customer_id,
        max(case when event_type in ('write_off', 'disconnection') then occurred_on end) as ended_on,
        max(case when event_type = 'reconnection' then occurred_on end) as reconnected_on
    from collection_events
    where occurred_on >= :probation_memory_start and occurred_on < :as_of
    group by customer_id
),

conduct as (
    select
        customer_id,
        bool_or(violation_type = 'theft' and detected_on >= :theft_since) as has_theft,
        bool_or(violation_type <> 'theft' and detected_on >= :violation_since) as has_violation
    from violations
    where detected_on < :as_of
    group by customer_id
),

broken_plans as (
    select distinct customer_id
    from collection_events
    where event_type = 'plan_broken'
        and occurred_on >= :broken_plan_since
        and occurred_on < :as_of
),

facts as (
    select
        p.customer_id,
        p.connected_on > :new_customer_since as is_new,
        greatest(coalesce(d.overdue, 0), coalesce(r.overdue, 0)) > :unpaid_above
            and not coalesce(r.is_disputed, false) as has_unpaid_balance,
        coalesce(l.debt > greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0)), false)
            or coalesce(
                case
                    when c.reconnected_on >= c.ended_on then c.reconnected_on >= :probation_since
                    else c.ended_on < :default_memory_start
                end,
                false
            ) as is_on_probation,
        coalesce(v.has_theft, false) as has_theft,
        coalesce(v.has_violation, false) as has_violation,
        b.customer_id is not null as has_broken_plan,
        coalesce(d.is_long, false) or coalesce(r.is_long, false) as has_long_arrears
    from population as p
    left join debts as d on d.customer_id = p.customer_id
    left join register as r on r.customer_id = p.customer_id
    left join past_debt as l on l.customer_id = p.customer_id
    left join exposure as e on e.customer_id = p.customer_id
    left join cut_off as c on c.customer_id = p.customer_id
    left join conduct as v on v.customer_id = p.customer_id
    left join broken_plans as b on b.customer_id = p.customer_id
)

select
    customer_id,
    is_new,
    has_unpaid_balance,
    is_on_probation,
    has_theft,
    has_violation,
    has_broken_plan,
    has_long_arrears
from facts
where is_new
    or has_unpaid_balance
    or is_on_probation
    or has_theft
    or has_violation
    or has_broken_plan
    or has_long_arrears
