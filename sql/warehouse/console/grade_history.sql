-- One row a published month that rated a customer, the newest first. The lateral join looks each month up by its key.
-- Reads report.publications and rating.credit_grades. Parameters: customer_id.

select
    g.rating_month,
    g.segment,
    g.region,
    g.grade,
    g.previous_grade,
    g.notch_change,
    g.score,
    g.default_probability,
    g.rating_basis,
    g.grade_rule,
    g.model_version,
    p.basis,
    p.revision,
    p.known_in,
    p.published_at
from (select * from report.publications where is_current offset 0) as p
cross join lateral (
    select *
    from rating.credit_grades as g
    where g.rating_month = p.rating_month and g.customer_id = :customer_id
    offset 0
) as g
order by g.rating_month desc
