-- The share of each grade in a published month and in staged grades. One row: a grade that either has.
-- Parameters: month (its first day).
-- Fragments: staged (the staged table, in rating).

with new as (
    select grade, count(*) / sum(count(*)) over () as share
    from rating.{staged}
    group by grade
),

old as (
    select grade, count(*) / sum(count(*)) over () as share
    from rating.credit_grades
    where rating_month = :month
    group by grade
)

select coalesce(new.grade, old.grade), coalesce(old.share, 0), coalesce(new.share, 0)
from new
full join old on old.grade = new.grade
order by 1
