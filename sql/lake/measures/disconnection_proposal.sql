-- Measure: ask a person whether to disconnect, once a debt. One row per customer who is long overdue, was given notice
-- of it (the first after the oldest bill fell due), has had the notice's days, and is not disconnected already.
-- Reads rated, in_arrears, collection_events, tariffs (segment, notice_days).
-- Parameters: as_of, disconnection_proposal_overdue_days, min_debt.
with noticed as (
    select
        d.customer_id,
        min(e.occurred_on) as notified_on
    from in_arrears as d
    inner join collection_events as e on e.customer_id = d.customer_id
    where e.event_type = 'overdue_notice'
        and e.occurred_on > d.overdue_since
        and e.occurred_on < :as_of
    group by d.customer_id
),

switched as (
    select
        customer_id,
        max(case when event_type = 'disconnection' then occurred_on end) as disconnected_on,
        max(case when event_type = 'reconnection' then occurred_on end) as reconnected_on
    from collection_events
    where event_type in ('disconnection', 'reconnection')
        and occurred_on < :as_of
    group by customer_id
)

select
    r.customer_id,
    cast(d.overdue_since as varchar) as subject,
    cast(d.amount_overdue as varchar) || ' overdue for ' || cast(d.days_past_due as varchar) || ' days, notice given on ' || cast(n.notified_on as varchar) as reason,
    cast(d.amount_overdue as varchar) as amount_overdue,
    d.days_past_due,
    cast(n.notified_on as varchar) as notified_on,
    cast(t.notice_days as integer) as notice_days
from rated as r
inner join in_arrears as d on d.customer_id = r.customer_id
inner join noticed as n on n.customer_id = r.customer_id
inner join tariffs as t on t.segment = r.segment
left join switched as s on s.customer_id = r.customer_id
where d.days_past_due > :disconnection_proposal_overdue_days
    and d.amount_overdue >= :min_debt
    and date_diff('day', n.notified_on, :as_of) > t.notice_days
    and (s.disconnected_on is null or s.reconnected_on >= s.disconnected_on)
