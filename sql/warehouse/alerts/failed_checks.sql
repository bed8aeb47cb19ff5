-- The checks of the latest published month that passed a limit of the policy. One row: a check.
-- No parameters.

select m.rating_month, m.version, m.measure, m.subject, m.value, m.limit_value
from rating.model_monitoring as m
where m.status = 'fail'
    and m.rating_month = (select max(p.rating_month) from ops.publications as p where p.superseded_at is null)
order by m.version, m.measure, m.subject
