-- A month's customers by grade. One row: a grade. Parameters: month.

select
    p.grade,
    sum(p.customers) as customers
from report.portfolio_summary as p
where p.rating_month = :month
group by p.grade
