-- Measure: visit poor payers whose debt grows old, once a debt. One row per such customer.
-- Reads rated, in_arrears, measure_grades. Parameters: visit_overdue_days, min_debt.
select
    r.customer_id,
    cast(d.overdue_since as varchar) as subject,
    'grade ' || r.grade || ', ' || cast(d.amount_overdue as varchar) || ' overdue for ' || cast(d.days_past_due as varchar) || ' days' as reason,
    r.grade,
    cast(d.amount_overdue as varchar) as amount_overdue
from rated as r
inner join measure_grades as g
    on g.action_type = 'visit'
    and g.grade = r.grade
inner join in_arrears as d on d.customer_id = r.customer_id
where d.days_past_due > :visit_overdue_days
    and d.amount_overdue >= :min_debt
