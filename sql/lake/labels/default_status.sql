-- Who is in default at the cut-off: one row per such customer.
-- In default: debt past the days of the customer's family and, as it stands open, above the materiality threshold, and
-- not in dispute at the last month end; or a write-off or disconnection within the policy's memory that is not made good.
-- It is made good by a reconnection, or when all that was due before it, and then open, has been paid.
-- is_by_register: by the arrears register alone, for want of bills.
-- Reads exposure, late_debt, arrears_register, bill_status, collection_events.
-- Parameters: as_of, settlement_tolerance, months_ago_1, months_ago_12,
-- default_memory_start, materiality_floor, materiality_share.
with open_debt as (
    select
        customer_id,
        coalesce(max(case when not is_in_register then debt end), 0) as by_bills,
        coalesce(max(case when is_in_register then debt end), 0) as by_register
    from late_debt
    where until_on is null or until_on >= :as_of
    group by customer_id
),

disputed as (
    select distinct customer_id
    from arrears_register
    where as_of >= :months_ago_1
        and is_disputed
),

ended as (
    select
        customer_id,
        max(case when event_type in ('write_off', 'disconnection') then occurred_on end) as ended_on,
        max(case when event_type = 'reconnection' then occurred_on end) as reconnected_on
    from collection_events
    where occurred_on >= :default_memory_start and occurred_on < :as_of
    group by customer_id
),

made_good as (
    select e.customer_id
    from ended as e
    inner join bill_status as b on b.customer_id = e.customer_id
    where b.due_on < e.ended_on
        and (b.settled_on is null or b.settled_on >= e.ended_on)
    group by e.customer_id
    having count(*) = count(b.settled_on)
),

defaults as (
    select
        o.customer_id,
        o.by_bills <= greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0)) as is_by_register
    from open_debt as o
    left join exposure as e on e.customer_id = o.customer_id
    left join disputed as d on d.customer_id = o.customer_id
    where greatest(o.by_bills, o.by_register) > greatest(:materiality_floor, :materiality_share * coalesce(e.billed, 0))
        and d.customer_id is null
    union all
    select
        e.customer_id,
        false as is_by_register
    from ended as e
    left join made_good as m on m.customer_id = e.customer_id
    where e.ended_on is not null
        and (e.reconnected_on is null or e.reconnected_on < e.ended_on)
        and m.customer_id is null
)

select
    customer_id,
    bool_and(is_by_register) as is_by_register
from defaults
group by customer_id
