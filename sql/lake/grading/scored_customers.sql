-- The customers of one family with what its model says of them and what their grade rules go by. One row per customer.
-- No parameters.
-- Fragments: by_model (customers_to_score under the select lists of the model), costs (what each index takes away, its
-- place and its code), reasons (of the sorted costs), version and given_by (texts), rule_facts (columns of rule_facts).
select
    customer_id,
    segment,
    region,
    score,
    default_probability,
    {version} as model_version,
    case when is_thin_file then 'thin_file' else {given_by} end as given_by,
    is_in_default,
    {rule_facts},
    rules_in_force,
    is_default_by_register,
    quarantined_records,
    {reasons}
from (select *, list_sort([{costs}]) as costs from ({by_model}) as by_model) as costed
