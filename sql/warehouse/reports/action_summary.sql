-- One row a rating month and type of action: how many were decided, and what has become of them.
-- decided is the sum of the others: waiting (proposed or approved), sent (dispatched or acknowledged), blocked by a
-- protection, suppressed (not to be sent), failed.
-- Reads ops.service_actions.

select
    s.rating_month,
    s.action_type,
    count(*) as decided,
    count(*) filter (where s.status in ('proposed', 'approved')) as waiting,
    count(*) filter (where s.status in ('dispatched', 'acknowledged')) as sent,
    count(*) filter (where s.status = 'acknowledged') as acknowledged,
    count(*) filter (where s.status = 'blocked') as blocked,
    count(*) filter (where s.status = 'suppressed') as suppressed,
    count(*) filter (where s.status = 'failed') as failed
from ops.service_actions as s
group by s.rating_month, s.action_type
