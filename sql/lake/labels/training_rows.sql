-- The drawn customers of a cohort with their indices as known then. One row per customer.
-- Reads drawn (drawn_rows of the cohort), computed (their indices). Parameters: cohort (YYYY-MM).
-- Fragments: indices (columns of computed, null where missing), bands.
select
    cast(:cohort as varchar) as cohort,
    d.customer_id,
    i.family,
    d.role,
    d.is_default,
    d.is_plain,
    {indices},
    {bands}
from drawn as d
inner join computed as i on i.customer_id = d.customer_id
