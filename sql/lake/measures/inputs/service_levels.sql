-- The level of service that customers are owed and get, as its place among the policy's levels: one row per size, value
-- group, grade and whether they have a manager (has_manager), with the number of customers.
-- Nobody gets less than customers of that size are owed.
-- Reads rated, customers, managers, size_levels (customer_size, level), grade_levels (grade, level).
-- Parameters: large_from_kva, managed_level.
with sized as (
    select
        r.grade,
        coalesce(r.value_group, 'none') as value_group,
        case when c.contract_capacity_kva >= :large_from_kva then 'large' else 'average' end as customer_size,
        m.customer_id is not null as has_manager
    from rated as r
    inner join customers as c on c.customer_id = r.customer_id
    left join managers as m on m.customer_id = r.customer_id
)

select
    s.customer_size,
    s.value_group,
    s.grade,
    s.has_manager,
    count(*) as customers,
    min(l.level) as required_rank,
    min(greatest(l.level, coalesce(g.level, 0), case when s.has_manager then :managed_level else 0 end)) as provided_rank
from sized as s
inner join size_levels as l on l.customer_size = s.customer_size
left join grade_levels as g on g.grade = s.grade
group by s.customer_size, s.value_group, s.grade, s.has_manager
