-- One row a rating month, model version and measure: the latest look at the models that rated the month.
-- Reads rating.model_monitoring and rating.models.

select
    m.rating_month,
    m.segment,
    m.version,
    r.status as model_status,
    m.measure,
    m.subject,
    m.compared_with,
    m.compared_month,
    m.value,
    m.low,
    m.high,
    m.expected,
    m.limit_value,
    m.customers,
    m.defaults,
    m.unseen,
    m.status,
    m.detail,
    m.measured_at
from rating.model_monitoring as m
inner join rating.models as r on r.version = m.version
