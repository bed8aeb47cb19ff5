-- One row a published month, segment and grade: customers, their share of the segment, mean score, expected defaults.
-- Reads rating.credit_grades and rating.grade_scales.

select
    g.rating_month,
    g.segment,
    g.grade,
    s.grade_ordinal,
    count(*) as customers,
    count(*) / sum(count(*)) over (partition by g.rating_month, g.segment) as share,
    avg(g.score) as mean_score,
    sum(g.default_probability) as expected_defaults
from rating.credit_grades as g
left join rating.grade_scales as s
    on s.publication_id = g.publication_id
    and s.grade = g.grade
group by g.rating_month, g.segment, g.grade, s.grade_ordinal
