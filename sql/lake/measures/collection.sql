-- Measure: collect the debt of poor payers, once a debt. One row per such customer.
-- Reads rated, in_arrears, measure_grades. Parameters: collection_overdue_days, min_debt.
select
    r.customer_id,
    cast(d.overdue_since as varchar) as subject,
    'grade ' || r.grade || ', ' || cast(d.amount_overdue as varchar) || ' overdue for ' || cast(d.days_past_due as varchar) || ' days' as reason,
    r.grade,
    cast(d.amount_overdue as varchar) as amount_overdue,
    d.days_past_due
from rated as r
inner join measure_grades as g
    on g.action_type = 'collection'
    and g.grade = r.grade
inner join in_arrears as d on d.customer_id = r.customer_id
where d.days_past_due > :collection_overdue_days
    and d.amount_overdue >= :min_debt
