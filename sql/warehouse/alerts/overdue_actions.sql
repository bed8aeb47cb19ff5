-- Actions that are not done although they are due. One row: a type and status.
-- Parameters: now.

select s.action_type, s.status, count(*) as actions, min(s.due_at) as due_since
from ops.service_actions as s
where s.status in ('proposed', 'approved', 'dispatched', 'failed')
    and s.due_at < :now
group by s.action_type, s.status
order by actions desc, s.action_type, s.status
