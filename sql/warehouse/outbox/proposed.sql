-- How many actions of a month are proposed. One row: a type, the one with the most first.
-- Parameters: month.

select action_type, count(*) as actions
from ops.service_actions
where rating_month = :month and status = 'proposed'
group by action_type
order by actions desc, action_type
