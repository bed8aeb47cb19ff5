-- Who has an account manager: one row per customer (manager, since: the month from which on, customer_group).
-- A customer of the policy's group keeps the manager of the month before, the most revenue first where a manager now
-- looks after fewer. What room is left goes to the others of the group, the most revenue first, to the manager who has
-- the fewest.
-- Reads rated, measure_value_groups, managed_before (customer_id, manager, since), manager_slots (manager, slot: 1, 2, ...
-- for each customer that the manager can look after). Parameters: month (YYYY-MM).
with eligible as (
    select
        r.customer_id,
        r.value_group,
        r.revenue
    from rated as r
    inner join measure_value_groups as g
        on g.action_type = 'account_manager'
        and g.value_group = r.value_group
),

had as (
    select
        e.customer_id,
        e.value_group,
        b.manager,
        b.since,
        row_number() over (partition by b.manager order by e.revenue desc nulls last, e.customer_id) as slot
    from eligible as e
    inner join managed_before as b on b.customer_id = e.customer_id
),

kept as (
    select h.*
    from had as h
    inner join manager_slots as s
        on s.manager = h.manager
        and s.slot = h.slot
),

room as (
    select
        s.manager,
        row_number() over (order by s.slot, s.manager) as place
    from manager_slots as s
    left join kept as k
        on k.manager = s.manager
        and k.slot = s.slot
    where k.customer_id is null
),

waiting as (
    select
        e.customer_id,
        e.value_group,
        row_number() over (order by e.revenue desc nulls last, e.customer_id) as place
    from eligible as e
    left join kept as k on k.customer_id = e.customer_id
    where k.customer_id is null
)

select
    customer_id,
    manager,
    since,
    value_group as customer_group
from kept
union all
select
    w.customer_id,
    r.manager,
    :month as since,
    w.value_group as customer_group
from waiting as w
inner join room as r on r.place = w.place
