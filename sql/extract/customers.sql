-- One row is a customer as the billing system knew it at an instant: the latest row of each customer_id. Where two rows
-- of a customer bear the same instant both come through, and validation keeps one.
-- :recorded_before  timestamptz, the end of the snapshot's month
select
    customer_id,
    segment,
    region,
    feeder_id,
    connected_on,
    closed_on,
    contract_capacity_kva,
    has_reactive_compensation,
    has_backup_supply,
    is_life_support,
    is_protected,
    preferred_channel,
    contact,
    recorded_at
from (
    select
        customer_id,
        segment,
        region,
        feeder_id,
        connected_on,
        closed_on,
        contract_capacity_kva,
        has_reactive_compensation,
        has_backup_supply,
        is_life_support,
        is_protected,
        preferred_channel,
        contact,
        recorded_at,
        rank() over (partition by customer_id order by recorded_at desc) as recency
    from customers
    where recorded_at < :recorded_before
) as known
where recency = 1
