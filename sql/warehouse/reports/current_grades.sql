-- One row a customer of the latest published month: its grade and what led to it.
-- Reads rating.credit_grades, rating.grade_scales, rating.index_definitions and ops.publications. In a transaction older than the publication its columns are null.

with definitions as (
    select distinct on (code)
        code,
        reason_en,
        reason_zh
    from rating.index_definitions
    order by code, index_name
)

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
    g.reason_1,
    r1.reason_en as reason_1_en,
    r1.reason_zh as reason_1_zh,
    g.reason_2,
    r2.reason_en as reason_2_en,
    r2.reason_zh as reason_2_zh,
    g.reason_3,
    r3.reason_en as reason_3_en,
    r3.reason_zh as reason_3_zh,
    g.reason_4,
    r4.reason_en as reason_4_en,
    r4.reason_zh as reason_4_zh,
    g.model_version,
    p.basis,
    p.revision,
    p.published_at
from rating.credit_grades as g
left join ops.publications as p on p.publication_id = g.publication_id
left join rating.grade_scales as s
    on s.publication_id = g.publication_id
    and s.grade = g.grade
left join definitions as r1 on r1.code = g.reason_1
left join definitions as r2 on r2.code = g.reason_2
left join definitions as r3 on r3.code = g.reason_3
left join definitions as r4 on r4.code = g.reason_4
where g.rating_month = (select max(l.rating_month) from ops.publications as l where l.superseded_at is null)
