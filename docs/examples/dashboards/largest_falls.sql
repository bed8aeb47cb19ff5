-- Whose grade fell furthest this month, and why?
-- Chart: table.

select
    customer_id,
    segment,
    region,
    previous_grade,
    grade,
    grade_ordinal,
    notch_change,
    score,
    reason_1_en,
    reason_2_en
from report.current_grades
where notch_change < 0
order by notch_change, score, customer_id
limit 100
