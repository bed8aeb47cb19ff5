-- How is the portfolio this month, and what changed since the month before?
-- Chart: one number each, with its change.

select
    rating_month,
    customers,
    customers_change,
    mean_default_probability,
    mean_default_probability_change,
    in_default,
    in_default_change,
    overdue,
    overdue_change,
    recovery_rate,
    recovery_rate_change
from report.month_summary
where rating_month = (select max(rating_month) from report.publications where is_current)
