-- One row a customer of the latest published month whose id holds a text, the one with that very id first.
-- Reads report.current_grades. Parameters: wanted (the text), most (rows).

select
    g.customer_id,
    g.segment,
    g.region,
    g.grade,
    g.score,
    g.default_probability,
    g.rating_month
from report.current_grades as g
where strpos(lower(g.customer_id), lower(:wanted)) > 0
order by g.customer_id <> :wanted, g.customer_id
limit :most
