-- One row a segment, region, basis of rating, grade before and grade now, of one revision of a month.
-- Fragments: revision (the table of that revision, in rating).

select
    g.segment,
    g.region,
    g.rating_basis,
    g.previous_grade,
    g.grade,
    count(*) as customers,
    sum(g.score) as score,
    sum(g.default_probability) as expected_defaults
from rating.{revision} as g
group by g.segment, g.region, g.rating_basis, g.previous_grade, g.grade
