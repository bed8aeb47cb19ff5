-- Measure: inspect the supply of poor payers who broke the contract before, once a period. One row per such customer.
-- Reads rated, violations, measure_grades. Parameters: as_of, months_ago_24, inspection_period, inspection_violations.
with counted as (
    select
        customer_id,
        count(*) as violations
    from violations
    where detected_on >= :months_ago_24
        and detected_on < :as_of
    group by customer_id
)

select
    r.customer_id,
    :inspection_period as subject,
    'grade ' || r.grade || ', and ' || cast(coalesce(c.violations, 0) as varchar) || ' violations in 24 months' as reason,
    r.grade,
    coalesce(c.violations, 0) as violations
from rated as r
inner join measure_grades as g
    on g.action_type = 'inspection'
    and g.grade = r.grade
left join counted as c on c.customer_id = r.customer_id
where coalesce(c.violations, 0) >= :inspection_violations
