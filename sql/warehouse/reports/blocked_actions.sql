-- One row a rating month, type of action and protection: how many actions the protection blocks.
-- Reads ops.service_actions.

select
    s.rating_month,
    s.action_type,
    s.blocked_by,
    count(*) as actions
from ops.service_actions as s
where s.status = 'blocked'
group by s.rating_month, s.action_type, s.blocked_by
