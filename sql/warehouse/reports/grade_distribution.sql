-- One row a published month and grade of its scale, those of no customer included: customers of all segments.
-- Reads rating.grade_scales and rating.portfolio_cells.

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
        c.publication_id,
        c.grade,
        cast(sum(c.customers) as bigint) as customers,
        sum(c.score) / sum(c.customers) as mean_score,
        sum(c.expected_defaults) as expected_defaults,
        sum(c.expected_defaults) / sum(c.customers) as mean_default_probability
    from rating.portfolio_cells as c
    group by c.publication_id, c.grade
) as g
    on g.publication_id = s.publication_id
    and g.grade = s.grade
where s.is_current
