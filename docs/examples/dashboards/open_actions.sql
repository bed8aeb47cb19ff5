-- What waits to be done, and what is late?
-- Chart: bars; down action_type, across actions, colour status. Or a table.

select
    action_type,
    status,
    count(*) as actions,
    count(*) filter (where is_overdue) as overdue,
    min(due_at) as first_due_at
from report.action_queue
group by action_type, status
order by overdue desc, action_type, status
