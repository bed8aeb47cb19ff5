-- What the grade rules go by: one row per rated customer of whom something of it is true at the cut-off.
-- is_new: connected for too short a time. has_unpaid_balance: overdue by the bills, or, of a customer without bills, by
-- the register at the last month end, and not in dispute there. is_on_probation: a default ended lately, by payment, by reconnection, or because it was
-- long ago. Within the memory of its veto: has_theft, has_violation (of any other kind), has_broken_plan,
-- has_long_arrears (debt grew very old, or is).
-- rules_in_force: the rules that hold, each with the last day that its memory runs from, as rule=YYYY-MM-DD;rule. A rule
-- without such a day holds for as long as a debt is open, or the day is not known.
-- Reads population, bill_status, arrears_register, late_debt, exposure, collection_events, violations.
-- Parameters: as_of, settlement_tolerance, months_ago_1, months_ago_12, default_memory_start, materiality_floor,
-- materiality_share, new_customer_since, unpaid_above, probation_since, probation_memory_start, theft_since,
-- violation_since, broken_plan_since, long_arrears_since, long_arrears_days.
with debts as (
    select
        customer_id,
        sum(case when due_on < :as_of then unpaid end) as overdue,
        bool_or(
            amount - paid_by_due > :materiality_floor
            and (settled_on is not null or unpaid + written_off > :materiality_floor)
            and date_diff('day', due_on, coalesce(settled_on, written_off_on, :as_of)) > :long_arrears_days
            and coalesce(settled_on, written_off_on, :as_of) >= :long_arrears_since
        ) as is_long,
        max(
            case
                when amount - paid_by_due > :materiality_floor
                    and (settled_on is not null or unpaid + written_off > :materiality_floor)
                    and date_diff('day', due_on, coalesce(settled_on, written_off_on, :as_of)) > :long_arrears_days
                    then coalesce(settled_on, written_off_on, :as_of)
            end
        ) as long_until_on
    from bill_status
    group by customer_id
),

register as (
    select
        customer_id,
        max(case when as_of >= :months_ago_1 and not is_proved_by_bills then amount_overdue end) as overdue,
        coalesce(bool_or(as_of >= :months_ago_1 and is_disputed), false) as is_disputed,
        bool_or(
            as_of >= :long_arrears_since
            and days_past_due >= :long_arrears_days
            and amount_overdue > :materiality_floor
            and not is_disputed
            and not is_proved_by_bills
        ) as is_long,
        max(
            case
                when days_past_due >= :long_arrears_days
                    and amount_overdue > :materiality_floor
                    and not is_disputed
                    and not is_proved_by_bills
                    then as_of
            end
        ) as long_until_on
    from arrears_register
    group by customer_id
),

-- The most old debt that was open at one time of the probation.
past_debt as (
    select
        customer_id,
        max(debt) as debt,
        max(coalesce(until_on, :as_of)) as until_on
    from late_debt
    where until_on is null or until_on >= :probation_since
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
        bool_or(violation_type <> 'theft' and detected_on >= :violation_since) as has_violation,
        max(case when violation_type = 'theft' then detected_on end) as theft_on,
        max(case when violation_type <> 'theft' then detected_on end) as violation_on
    from violations
    where detected_on < :as_of
    group by customer_id
),

broken_plans as (
    select
        customer_id,
        max(occurred_on) as broken_on
    from collection_events
    where event_type = 'plan_broken'
        and occurred_on >= :broken_plan_since
        and occurred_on < :as_of
    group by customer_id
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
        coalesce(d.is_long, false) or coalesce(r.is_long, false) as has_long_arrears,
        p.connected_on,
        v.theft_on,
        v.violation_on,
        b.broken_on,
        -- Null for one side where it says nothing, and for both where the debt is still open.
        nullif(coalesce(greatest(d.long_until_on, r.long_until_on), d.long_until_on, r.long_until_on), :as_of) as long_until_on,
        case
            when c.reconnected_on >= c.ended_on and l.until_on < :as_of then greatest(c.reconnected_on, l.until_on)
            when c.reconnected_on >= c.ended_on and l.until_on is null then c.reconnected_on
            when c.ended_on is null and l.until_on < :as_of then l.until_on
        end as default_ended_on
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
    has_long_arrears,
    concat_ws(
        ';',
        case when is_new then concat('new_customer=', cast(connected_on as varchar)) end,
        case when has_unpaid_balance then 'unpaid_balance' end,
        case when is_on_probation then concat('probation', coalesce('=' || cast(default_ended_on as varchar), '')) end,
        case when has_theft then concat('theft=', cast(theft_on as varchar)) end,
        case when has_violation then concat('violation=', cast(violation_on as varchar)) end,
        case when has_broken_plan then concat('broken_plan=', cast(broken_on as varchar)) end,
        case when has_long_arrears then concat('long_arrears', coalesce('=' || cast(long_until_on as varchar), '')) end
    ) as rules_in_force
from facts
where is_new
    or has_unpaid_balance
    or is_on_probation
    or has_theft
    or has_violation
    or has_broken_plan
    or has_long_arrears
