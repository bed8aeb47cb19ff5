-- Who reported an outage or bad voltage: one row per report of a customer (is_large: by the policy's capacity).
-- Reads service_contacts (what the billing system recorded of late), customers (as last known). Parameters: large_from_kva.
select
    t.contact_id,
    t.customer_id,
    t.contact_type,
    t.contacted_at,
    c.feeder_id,
    coalesce(c.is_life_support, false) as is_life_support,
    coalesce(c.contract_capacity_kva >= :large_from_kva, false) as is_large
from service_contacts as t
inner join customers as c on c.customer_id = t.customer_id
where t.contact_type in ('outage_report', 'voltage_complaint')
    and t.contact_id is not null
    and t.contacted_at is not null
order by
    t.customer_id,
    t.contact_id
