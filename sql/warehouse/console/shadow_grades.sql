-- One row a shadow month, grade of the champion and grade of the challenger, the newest month first.
-- Reads rating.shadow_grades. Parameters: version (the challenger).

select
    s.rating_month,
    s.champion,
    s.champion_grade,
    s.challenger_grade,
    s.customers
from rating.shadow_grades as s
where s.challenger = :version
order by s.rating_month desc, s.champion_grade, s.challenger_grade
