-- What is wrong with staged grades, counted. One row.
-- Parameters: names (the policy's grades).
-- Fragments: staged (the staged table, in rating).

select
    count(*) filter (where grade is null) as without_grade,
    count(*) filter (where score is null or score in ('NaN', 'Infinity', '-Infinity')) as without_score,
    count(*) filter (where (default_probability between 0 and 1) is not true) as not_probabilities,
    count(*) filter (where not grade = any(:names)) as off_scale,
    min(grade) filter (where not grade = any(:names)) as example
from rating.{staged}
