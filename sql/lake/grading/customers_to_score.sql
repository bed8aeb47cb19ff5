-- The customers of one family with the indices of its score. One row per customer.
-- Reads indices. No parameters.
-- Fragments: rule_facts (columns of rule_facts), values (indices, null where missing), bands, family (text).
select
    customer_id,
    segment,
    region,
    is_in_default,
    is_thin_file,
    {rule_facts},
    rules_in_force,
    is_default_by_register,
    quarantined_records,
    {values},
    {bands}
from indices
where family = {family}
