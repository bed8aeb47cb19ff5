-- The customers whose grade or score differs between two ratings of a month, those who move furthest first. One row per
-- customer.
-- Reads compared_grades. Parameters: largest (how many rows; null: all).
select *
from compared_grades
where grade_before is distinct from grade_after
    or score_before is distinct from score_after
order by
    abs(coalesce(notches, 0)) desc,
    abs(coalesce(score_after - score_before, 0)) desc,
    customer_id
limit coalesce(:largest, 2147483647)
