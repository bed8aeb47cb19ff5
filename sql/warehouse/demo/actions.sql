-- What is in the outbox. One row: a type and a status. No parameters.

select
    action_type,
    status,
    count(*) as actions,
    count(*) filter (where blocked_by is not null) as blocked
from ops.service_actions
group by action_type, status
order by action_type, status
