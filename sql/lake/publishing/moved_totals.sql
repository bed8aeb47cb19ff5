-- How many customers two ratings of a month have in common, and how many of them move. One row.
-- Reads compared_grades. No parameters.
select
    count(*) filter (where grade_before is not null and grade_after is not null) as customers,
    count(*) filter (where grade_before <> grade_after) as moved,
    count(*) filter (where notches > 0) as up,
    count(*) filter (where notches < 0) as down,
    count(*) filter (where score_before <> score_after) as rescored,
    count(*) filter (where grade_before is null) as new,
    count(*) filter (where grade_after is null) as gone
from compared_grades
