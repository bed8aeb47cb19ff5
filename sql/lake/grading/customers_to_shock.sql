-- The graded customers of one family with the indices of one risk factor. One row per customer.
-- Reads indices, grades. No parameters.
-- Fragments: values (indices, null where missing), bands (of these, with a comma before each), family (text), rank (of
-- the grade on the scale, 0 the best).
select
    i.segment,
    {values}{bands},
    g.score,
    g.default_probability = 1e0 as is_in_default,
    g.rating_basis in ('default', 'override') as is_set_by_rule,
    {rank} as rank
from indices as i
inner join grades as g on g.customer_id = i.customer_id
where i.family = {family}
