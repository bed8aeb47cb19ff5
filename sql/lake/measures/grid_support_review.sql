-- Measure: a look at the grid that serves a valuable customer's large connection, once a period.
-- One row per customer who has a manager and such a connection.
-- Reads managers, customers. Parameters: grid_support_review_period, grid_support_review_min_capacity_kva.
select
    m.customer_id,
    :grid_support_review_period as subject,
    m.customer_group || ' with ' || cast(c.contract_capacity_kva as varchar) || ' kVA' as reason,
    m.customer_group,
    cast(c.contract_capacity_kva as varchar) as contract_capacity_kva
from managers as m
inner join customers as c on c.customer_id = m.customer_id
where c.contract_capacity_kva >= :grid_support_review_min_capacity_kva
