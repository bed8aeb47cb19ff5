-- The rated customers with all that their grade follows from. One row per customer.
-- Reads indices, previous (customer_id, grade), decided (customer_id, override_grade, veto_grade). No parameters.
-- Fragments: rule_facts (columns of rule_facts), values (indices, null where missing), bands.
select
    i.customer_id,
    i.segment,
    i.family,
    i.region,
    i.is_in_default,
    i.is_thin_file,
    {rule_facts},
    i.rules_in_force,
    i.is_default_by_register,
    i.quarantined_records,
    p.grade as previous_grade,
    d.override_grade,
    d.veto_grade,
    {values},
    {bands}
from indices as i
left join previous as p on p.customer_id = i.customer_id
left join decided as d on d.customer_id = i.customer_id
order by i.customer_id
