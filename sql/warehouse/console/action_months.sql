-- One row a rating month that has actions, the newest first. Looks for the next month instead of reading every action.
-- Reads ops.service_actions.

with recursive months as (
    select max(rating_month) as rating_month
    from ops.service_actions
    union all
    select (select max(s.rating_month) from ops.service_actions as s where s.rating_month < m.rating_month)
    from months as m
    where m.rating_month is not null
)

select rating_month
from months
where rating_month is not null
