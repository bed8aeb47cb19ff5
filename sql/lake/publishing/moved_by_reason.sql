-- Customers whose grade differs between two ratings of a month, by what sets the grade afterwards. One row per reason.
-- Reads compared_grades. No parameters.
select
    because_after as because,
    count(*) as customers
from compared_grades
where grade_before <> grade_after
group by because_after
order by customers desc, because
