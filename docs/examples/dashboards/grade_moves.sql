-- Where did customers move since the month before?
-- Chart: heat map or pivot table; down from_state by from_ordinal, across to_state by to_ordinal, value share.

select
    from_state,
    from_ordinal,
    to_state,
    to_ordinal,
    customers,
    share
from report.grade_migration
where rating_month = (select max(rating_month) from report.publications where is_current)
order by from_ordinal, to_ordinal
