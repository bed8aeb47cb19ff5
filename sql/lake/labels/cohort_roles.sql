-- The part that each customer of a cohort has in training: fit, calibration, test, or null for none. One row per
-- customer; place decides whether the row is drawn.
-- Reads outcomes (what default_label found of the cohort). Parameters: sample (the seed of the drawing).
-- Fragments: role (an expression of customer_id, with parameters of its own).
select
    customer_id,
    family,
    outcome,
    cast(is_default as integer) as is_default,
    {role} as role,
    md5(:sample || customer_id) as place
from outcomes
