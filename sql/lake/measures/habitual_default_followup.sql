-- Measure: follow up on habitual default, once a period. One row per customer with so many delinquencies in 12 months:
-- collection events of the kinds to which the policy gives a weight.
-- Reads rated, in_arrears, collection_events. Parameters: as_of, months_ago_12, habitual_default_followup_period,
-- habitual_default_followup_delinquencies, delinquency_severity_*.
with counted as (
    select
        customer_id,
        count(*) as delinquencies
    from collection_events
    where occurred_on >= :months_ago_12
        and occurred_on < :as_of
        and case event_type
            when 'overdue_notice' then :delinquency_severity_overdue_notice
            when 'returned_payment' then :delinquency_severity_returned_payment
            when 'plan_broken' then :delinquency_severity_plan_broken
            when 'disconnection' then :delinquency_severity_disconnection
            when 'write_off' then :delinquency_severity_write_off
            else 0
        end > 0
    group by customer_id
)

select
    r.customer_id,
    :habitual_default_followup_period as subject,
    cast(c.delinquencies as varchar) || ' delinquencies in 12 months' as reason,
    c.delinquencies,
    cast(coalesce(d.amount_overdue, cast(0 as decimal(18, 2))) as varchar) as amount_overdue
from rated as r
inner join counted as c on c.customer_id = r.customer_id
left join in_arrears as d on d.customer_id = r.customer_id
where c.delinquencies >= :habitual_default_followup_delinquencies
