-- One row a rating month, segment family, model version and what was compared with its training: an index, or the score.
-- Reads rating.model_monitoring and rating.index_definitions.

select
    m.rating_month,
    m.segment as segment_family,
    m.version,
    m.subject as index_name,
    d.code,
    d.meaning,
    m.measure,
    m.value as stability_index,
    m.limit_value,
    m.customers,
    m.unseen,
    m.status
from rating.model_monitoring as m
left join rating.index_definitions as d on d.index_name = m.subject
where m.measure in ('psi', 'csi')
    and m.compared_with = 'training'
