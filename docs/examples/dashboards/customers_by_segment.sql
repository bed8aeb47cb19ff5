-- Which segments are worth watching this month?
-- Chart: stacked bars; down segment, across share, colour grade in the order of grade_ordinal.

select
    segment,
    grade,
    grade_ordinal,
    customers,
    share,
    mean_score,
    expected_defaults
from report.portfolio_summary
where rating_month = (select max(rating_month) from report.publications where is_current)
order by segment, grade_ordinal
