-- Measure: care for good customers of value, once a period; never a price. One row per such customer.
-- Reads rated, measure_grades, measure_value_groups (none of the measure's: all groups).
-- Parameters: relationship_task_period.
with groups as (
    select value_group
    from measure_value_groups
    where action_type = 'relationship_task'
)

select
    r.customer_id,
    :relationship_task_period as subject,
    'grade ' || r.grade || coalesce(', ' || r.value_group, '') as reason,
    r.grade
from rated as r
inner join measure_grades as g
    on g.action_type = 'relationship_task'
    and g.grade = r.grade
where r.value_group in (select value_group from groups)
    or not exists (select 1 from groups)
