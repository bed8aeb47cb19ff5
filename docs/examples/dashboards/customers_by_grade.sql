-- How many customers have which grade, over the last 13 months?
-- Chart: stacked columns; across rating_month, up customers, colour grade in the order of grade_ordinal.

select
    rating_month,
    grade,
    grade_ordinal,
    customers,
    share
from report.grade_distribution
where rating_month > (select max(rating_month) from report.publications where is_current) - interval '13 months'
order by rating_month, grade_ordinal
