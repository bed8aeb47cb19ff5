-- The customers with their stage and the groups of the nearest centroids, by customer_id: columns as
-- rating.customer_groups. One row per customer. Who is gone is in no group but ``closed``.
-- No parameters.
-- Fragments: members (members_to_group under the select lists of each aspect's k-means), value_group, demand_group,
-- behaviour_group, names (the groups of all aspects).
select
    customer_id,
    segment,
    cast({value_group} as varchar) as value_group,
    cast({demand_group} as varchar) as demand_group,
    cast({behaviour_group} as varchar) as behaviour_group,
    cast(case when is_closed then 'closed' else {names} end as varchar) as group_name,
    life_cycle_stage,
    cast(service_sensitivity as double) as service_sensitivity,
    cast(outage_sensitivity as double) as outage_sensitivity,
    cast(billed as decimal(18, 2)) as revenue
from ({members}) as members
order by customer_id
