-- What became of a cohort: one row per customer who was connected, long enough a customer and not in default at the
-- cohort's cut-off. is_default is true, false, or null where the outcome is indeterminate (late, but not so late) or
-- the customer closed in the window and owes the final bill.
-- Known as of the window's end: bill_status, late_debt and collection_events are bound to as_of = the end of the window.
-- Reads cohort (customer_id, segment, bills, is_in_default, at the cohort's cut-off), customers, bill_status, late_debt,
-- collection_events.
-- Parameters: cohort_as_of (the cohort's cut-off), as_of (the end of its label window), history_start,
-- cohort_months_ago_12, min_bills, good_max_days_past_due, materiality_floor, materiality_share.
with exposure as (
    select
        customer_id,
        sum(amount) as billed
    from bill_status
    where issued_on >= :cohort_months_ago_12 and issued_on < :cohort_as_of
    group by customer_id
),

reached as (
    select
        r.customer_id,
        r.reached_on,
        greatest(
            coalesce(sum(case when not d.is_in_register then d.debt end), 0),
            coalesce(max(case when d.is_in_register then d.debt end), 0)
        ) as debt
    from (select distinct customer_id, reached_on from late_debt where reached_on >= :cohort_as_of) as r
    inner join late_debt as d
        on d.customer_id = r.customer_id
        and d.reached_on <= r.reached_on
        and (d.cleared_on is null or d.cleared_on > r.reached_on)
    group by r.customer_id, r.reached_on
),

in_arrears as (
    select distinct r.customer_id
    from reached as r
    left join exposure as e on e.customer_id = r.customer_id
    where r.debt > greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0))
),

cut_off as (
    select distinct customer_id
    from collection_events
    where event_type in ('write_off', 'disconnection')
        and occurred_on >= :cohort_as_of
        and occurred_on < :as_of
),

lateness as (
    select
        customer_id,
        max(
            case
                when due_on < :as_of and (settled_on is null or settled_on >= :cohort_as_of)
                    then date_diff('day', due_on, coalesce(settled_on, :as_of))
            end
        ) as days_past_due,
        sum(unpaid) as unpaid
    from bill_status
    group by customer_id
)

select
    c.customer_id,
    c.segment,
    case
        when a.customer_id is not null or x.customer_id is not null then true
        when k.closed_on < :as_of then case when coalesce(l.unpaid, 0) = 0 then false end
        when coalesce(l.days_past_due, 0) < :good_max_days_past_due then false
    end as is_default
from cohort as c
left join customers as k on k.customer_id = c.customer_id
left join in_arrears as a on a.customer_id = c.customer_id
left join cut_off as x on x.customer_id = c.customer_id
left join lateness as l on l.customer_id = c.customer_id
where c.bills >= :min_bills
    and not c.is_in_default
