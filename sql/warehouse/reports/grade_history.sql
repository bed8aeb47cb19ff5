-- One row a customer and published month, of the current revision of each month.
-- Reads rating.credit_grades, rating.grade_scales and ops.publications. In a transaction older than the publication its columns are null.

select
    g.rating_month,
    g.customer_id,
    g.segment,
    g.region,
    g.score,
    g.default_probability,
    g.model_grade,
    g.grade,
    s.grade_ordinal,
    g.previous_grade,
    g.notch_change,
    g.rating_basis,
    g.grade_rule,
    g.model_version,
    p.basis,
    p.revision,
    p.published_at
from rating.credit_grades as g
left join ops.publications as p on p.publication_id = g.publication_id
left join rating.grade_scales as s
    on s.publication_id = g.publication_id
    and s.grade = g.grade
