-- What counts against most customers this month?
-- Chart: bars; down reason_en in the order of place, across customers.

select
    place,
    code,
    reason_en,
    customers,
    share,
    first_customers
from report.top_reasons
where rating_month = (select max(rating_month) from report.publications where is_current)
    and place <= 10
order by place, code
