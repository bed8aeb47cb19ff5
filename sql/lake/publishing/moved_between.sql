-- Customers by their grade in two ratings of a month. One row per pair of grades.
-- Reads compared_grades. No parameters.
select
    grade_before as before,
    grade_after as after,
    count(*) as customers
from compared_grades
group by grade_before, grade_after
order by grade_before, grade_after
