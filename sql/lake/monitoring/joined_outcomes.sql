-- The ratings of a cohort with the outcomes that are known. One row per customer with an outcome.
-- Reads rated (customer_id, model_version, score, default_probability), outcomes (customer_id, is_default). No parameters.
select
    r.model_version,
    r.score,
    r.default_probability,
    o.is_default
from rated as r
inner join outcomes as o on o.customer_id = r.customer_id
where o.is_default is not null
