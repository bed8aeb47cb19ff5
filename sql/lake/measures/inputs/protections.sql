-- Whom nothing punitive may be done to: one row per customer, with the first protection that holds (blocked_by).
-- life_support, protected (medical, age or the like), moratorium, dispute, payment_plan, records_in_quarantine: in this
-- order. The last: bills, payments or account balances of the customer are in quarantine, and what is owed is not sure.
-- A dispute is open, and a plan active, where the arrears register of the month's end says so. Of a customer who is not
-- in it, a plan is active that was agreed in the policy's months and has not been broken since.
-- Reads customers, arrears_recorded_last, collection_events, quarantined_by_customer, moratoria (segment).
-- Parameters: as_of, months_ago_1, plans_since.
with register as (
    select
        customer_id,
        bool_or(is_disputed) as is_disputed,
        bool_or(is_on_payment_plan) as is_on_payment_plan
    from arrears_recorded_last
    where as_of >= :months_ago_1
    group by customer_id
),

plans as (
    select
        customer_id,
        max(case when event_type = 'plan_agreed' then occurred_on end) as agreed_on,
        max(case when event_type = 'plan_broken' then occurred_on end) as broken_on
    from collection_events
    where occurred_on >= :plans_since
        and occurred_on < :as_of
    group by customer_id
),

held as (
    select
        c.customer_id,
        case
            when c.is_life_support then 'life_support'
            when c.is_protected then 'protected'
            when m.segment is not null then 'moratorium'
            when r.is_disputed then 'dispute'
            when coalesce(r.is_on_payment_plan, p.agreed_on is not null and (p.broken_on is null or p.broken_on < p.agreed_on))
                then 'payment_plan'
            when q.of_account > 0 then 'records_in_quarantine'
        end as blocked_by
    from customers as c
    left join moratoria as m on m.segment = c.segment
    left join register as r on r.customer_id = c.customer_id
    left join plans as p on p.customer_id = c.customer_id
    left join quarantined_by_customer as q on q.customer_id = c.customer_id
)

select
    customer_id,
    blocked_by
from held
where blocked_by is not null
