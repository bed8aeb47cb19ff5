-- One row a segment, region, basis of rating, grade before and grade now, of one revision of a month.
-- Reads rating.portfolio_cells. Parameters: publication_id.

select
    c.segment,
    c.region,
    c.rating_basis,
    c.previous_grade,
    c.grade,
    c.customers,
    c.score,
    c.expected_defaults
from rating.portfolio_cells as c
where c.publication_id = :publication_id
