-- Measure: a backup supply for those whom outages hurt most, once a period.
-- One row per customer without backup supply on record who is more outage-sensitive than all but the policy's share.
-- Reads rated, customers. Parameters: emergency_supply_period, emergency_supply_share.
with bound as (
    select quantile_cont(outage_sensitivity, 1 - :emergency_supply_share) as outage_sensitivity
    from rated
)

select
    r.customer_id,
    :emergency_supply_period as subject,
    'among the most outage-sensitive customers, and no backup supply on record' as reason,
    cast(cast(r.outage_sensitivity as decimal(9, 2)) as varchar) as outage_sensitivity,
    cast(c.contract_capacity_kva as varchar) as contract_capacity_kva
from rated as r
inner join customers as c on c.customer_id = r.customer_id
cross join bound as b
where r.outage_sensitivity > b.outage_sensitivity
    and coalesce(c.has_backup_supply, false) = false
