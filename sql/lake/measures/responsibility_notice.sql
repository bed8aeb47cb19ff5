-- Measure: tell poor payers in arrears what they are responsible for, once a period. One row per such customer.
-- Reads rated, in_arrears, measure_grades. Parameters: responsibility_notice_period.
select
    r.customer_id,
    :responsibility_notice_period as subject,
    'grade ' || r.grade || ', ' || cast(d.amount_overdue as varchar) || ' overdue' as reason,
    cast(d.amount_overdue as varchar) as amount_overdue,
    d.days_past_due
from rated as r
inner join measure_grades as g
    on g.action_type = 'responsibility_notice'
    and g.grade = r.grade
inner join in_arrears as d on d.customer_id = r.customer_id
