-- What became of a cohort: one row per customer who was connected at the cohort's cut-off.
-- outcome: bad, good, indeterminate (late, but not so late), closed_owing (closed in the window and owes the final
-- bill), too_few_bills or in_default (at the cohort's cut-off, so that there was nothing to find out). is_default is
-- true for bad, false for good, and null for whom nobody can learn from.
-- Known as of the window's end: bill_status, late_debt, arrears_register and collection_events are bound to as_of = the
-- end of the window.
-- Reads cohort (customer_id, segment, family, bills, is_in_default, at the cohort's cut-off), closed_customers
-- (customer_id, closed_on: as known at the window's end), bill_status, late_debt, arrears_register, collection_events.
-- late_debt takes the customers as they were at the cut-off, too.
-- Parameters: cohort_as_of (the cohort's cut-off), as_of (the end of its label window),
-- settlement_tolerance, cohort_months_ago_12, min_bills, good_max_days_past_due, materiality_floor, materiality_share.
with billed_before as (
    select
        customer_id,
        cast(
            case when max(months) > 1 and sum(months) > 12 then sum(amount) * 12 / sum(months) else sum(amount) end
            as decimal(18, 2)
        ) as billed
    from bill_status
    where issued_on >= :cohort_months_ago_12 and issued_on < :cohort_as_of
    group by customer_id
),

in_arrears as (
    select distinct d.customer_id
    from late_debt as d
    left join billed_before as e on e.customer_id = d.customer_id
    where d.from_on < :as_of
        and (d.until_on is null or d.until_on > :cohort_as_of)
        and d.debt > greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0))
),

cut_off as (
    select distinct customer_id
    from collection_events
    where event_type in ('write_off', 'disconnection')
        and occurred_on >= :cohort_as_of
        and occurred_on < :as_of
),

by_bills as (
    select
        customer_id,
        max(
            case
                when due_on < :as_of and coalesce(settled_on, written_off_on, :as_of) >= :cohort_as_of
                    then date_diff('day', due_on, coalesce(settled_on, written_off_on, :as_of))
            end
        ) as days_past_due,
        sum(unpaid) as unpaid
    from bill_status
    group by customer_id
),

by_register as (
    select
        customer_id,
        max(days_past_due) as days_past_due
    from arrears_register
    where as_of >= :cohort_as_of
        and not is_proved_by_bills
    group by customer_id
),

outcomes as (
    select
        c.customer_id,
        c.segment,
        c.family,
        case
            when c.is_in_default then 'in_default'
            when c.bills < :min_bills then 'too_few_bills'
            when a.customer_id is not null or x.customer_id is not null then 'bad'
            when k.closed_on < :as_of
                then case when coalesce(b.unpaid, 0) = 0 then 'good' else 'closed_owing' end
            when greatest(coalesce(b.days_past_due, 0), coalesce(r.days_past_due, 0)) < :good_max_days_past_due
                then 'good'
            else 'indeterminate'
        end as outcome
    from cohort as c
    left join closed_customers as k on k.customer_id = c.customer_id
    left join in_arrears as a on a.customer_id = c.customer_id
    left join cut_off as x on x.customer_id = c.customer_id
    left join by_bills as b on b.customer_id = c.customer_id
    left join by_register as r on r.customer_id = c.customer_id
)

select
    customer_id,
    segment,
    family,
    outcome,
    case outcome when 'bad' then true when 'good' then false end as is_default
from outcomes
