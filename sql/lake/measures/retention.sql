-- Measure: keep a good customer whose consumption falls, once a period. One row per such customer.
-- Reads rated, measure_grades. Parameters: retention_period, decline.
select
    r.customer_id,
    :retention_period as subject,
    'grade ' || r.grade || ', and consumption falls' as reason,
    r.grade,
    cast(cast(round(r.consumption_trend * 100) as integer) as varchar) || '%' as consumption_trend
from rated as r
inner join measure_grades as g
    on g.action_type = 'retention'
    and g.grade = r.grade
where r.consumption_trend < :decline
