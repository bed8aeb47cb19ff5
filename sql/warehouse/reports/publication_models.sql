-- One row a revision of a month and segment family: the model version that rated it.
-- Reads ops.publications and rating.models.

select
    p.rating_month,
    p.revision,
    p.superseded_at is null as is_current,
    v.segment_family,
    v.version,
    m.origin,
    m.trained_month,
    m.effective_from_month,
    m.parameters_sha256,
    m.approved_by,
    m.approved_at
from ops.publications as p
cross join lateral json_each_text(p.model_versions) as v (segment_family, version)
left join rating.models as m on m.version = v.version
