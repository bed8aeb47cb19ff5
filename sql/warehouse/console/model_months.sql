-- One row a rating month and version in use, the newest first: how stable its score is against training, its AUC where
-- outcomes are known, and how many checks warn or fail.
-- Reads report.model_monitoring.

select
    m.rating_month,
    m.segment as family,
    m.version,
    max(m.model_status) as model_status,
    max(m.value) filter (where m.measure = 'psi' and m.compared_with = 'training') as psi,
    max(m.limit_value) filter (where m.measure = 'psi' and m.compared_with = 'training') as psi_limit,
    max(m.value) filter (where m.measure = 'auc') as auc,
    max(m.value) filter (where m.measure = 'ks') as ks,
    count(*) filter (where m.status = 'warn') as warnings,
    count(*) filter (where m.status = 'fail') as failures,
    max(m.customers) as customers
from report.model_monitoring as m
group by m.rating_month, m.segment, m.version
order by m.rating_month desc, m.segment, m.version
limit 200
