-- One row a customer of the latest published month: its grade and what led to it.
-- Reads rating.credit_grades and ops.publications. In a transaction older than the publication its columns are null.

select
    g.rating_month,
    g.customer_id,
    g.segment,
    g.region,
    g.score,
    g.default_probability,
    g.model_grade,
    g.grade,
    g.previous_grade,
    g.notch_change,
    g.rating_basis,
    g.grade_rule,
    g.reason_1,
    g.reason_2,
    g.reason_3,
    g.reason_4,
    g.model_version,
    p.basis,
    p.revision,
    p.published_at
from rating.credit_grades as g
left join ops.publications as p on p.publication_id = g.publication_id
where g.rating_month = (select max(l.rating_month) from ops.publications as l where l.superseded_at is null)
