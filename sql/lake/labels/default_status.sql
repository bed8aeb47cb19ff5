-- Who is in default at the cut-off: one row per such customer.
-- In default: debt past the days of the customer's family and above the materiality threshold is still open; or the
-- service was written off or disconnected within the policy's memory and not reconnected since.
-- Reads exposure, late_debt, collection_events.
-- Parameters: as_of, history_start, months_ago_12, default_memory_start, materiality_floor, materiality_share.
with open_debt as (
    select
        customer_id,
        greatest(
            coalesce(sum(case when not is_in_register then debt end), 0),
            coalesce(max(case when is_in_register then debt end), 0)
        ) as debt
    from late_debt
    where cleared_on is null or cleared_on >= :as_of
    group by customer_id
),

cut_off as (
    select
        customer_id,
        max(case when event_type in ('write_off', 'disconnection') then occurred_on end) as ended_on,
        max(case when event_type = 'reconnection' then occurred_on end) as reconnected_on
    from collection_events
    where occurred_on >= :default_memory_start and occurred_on < :as_of
    group by customer_id
)

select o.customer_id
from open_debt as o
left join exposure as e on e.customer_id = o.customer_id
where o.debt > greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0))
union
select customer_id
from cut_off
where ended_on is not null
    and (reconnected_on is null or reconnected_on < ended_on)
