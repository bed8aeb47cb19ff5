-- The cells of a revision: customers by segment, region, basis of rating, grade before and grade now, with sums over
-- them. One row: a cell, as rating.portfolio_cells has it.
-- No parameters. Fragments: grades, groups (the tables of that revision, in rating).

select
    g.segment,
    g.region,
    g.rating_basis,
    g.previous_grade,
    g.grade,
    g.notch_change,
    count(*) as customers,
    sum(g.score) as score,
    sum(g.default_probability) as expected_defaults,
    sum(u.revenue) as exposure,
    sum(g.default_probability * u.revenue) as expected_loss
from rating.{grades} as g
left join rating.{groups} as u on u.customer_id = g.customer_id
group by g.segment, g.region, g.rating_basis, g.previous_grade, g.grade, g.notch_change
