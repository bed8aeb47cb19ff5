-- One row a rating month and check of a model version, the newest month first, what fails before what passes.
-- Reads report.model_monitoring. Parameters: version.

select
    m.rating_month,
    m.measure,
    m.subject,
    m.compared_with,
    m.compared_month,
    m.value,
    m.limit_value,
    m.customers,
    m.unseen,
    m.status,
    m.detail
from report.model_monitoring as m
where m.version = :version
order by
    m.rating_month desc,
    array_position(array['fail', 'warn', 'pass', 'not_judged'], m.status),
    m.measure desc,
    m.value desc nulls last,
    m.subject,
    m.compared_with
limit 400
