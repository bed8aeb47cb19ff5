-- One row a published month, segment and grade: customers, their share of the segment, mean score, expected defaults.
-- Reads rating.portfolio_cells, rating.grade_scales and ops.publications.

select
    p.rating_month,
    g.segment,
    g.grade,
    s.grade_ordinal,
    cast(sum(g.customers) as bigint) as customers,
    sum(g.customers) / sum(sum(g.customers)) over (partition by p.rating_month, g.segment) as share,
    sum(g.score) / sum(g.customers) as mean_score,
    sum(g.expected_defaults) as expected_defaults
from rating.portfolio_cells as g
inner join ops.publications as p on p.publication_id = g.publication_id
left join rating.grade_scales as s
    on s.publication_id = g.publication_id
    and s.grade = g.grade
where p.superseded_at is null
group by p.rating_month, g.segment, g.grade, s.grade_ordinal
