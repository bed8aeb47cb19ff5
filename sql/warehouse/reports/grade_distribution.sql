-- One row a published month and grade of its scale, those of no customer included: customers of all segments.
-- Reads rating.grade_scales and rating.credit_grades.

select
    s.rating_month,
    s.grade,
    s.grade_ordinal,
    coalesce(g.customers, 0) as customers,
    coalesce(g.customers / sum(g.customers) over (partition by s.rating_month), 0) as share,
    g.mean_score,
    coalesce(g.expected_defaults, 0) as expected_defaults,
    g.mean_default_probability
from rating.grade_scales as s
left join (
    select
        c.rating_month,
        c.grade,
        count(*) as customers,
        avg(c.score) as mean_score,
        sum(c.default_probability) as expected_defaults,
        avg(c.default_probability) as mean_default_probability
    from rating.credit_grades as c
    group by c.rating_month, c.grade
) as g
    on g.rating_month = s.rating_month
    and g.grade = s.grade
where s.is_current
