-- What both CC&B and IS-U can tell of the sample utility: the contract's tables with the rest taken out, so that the same
-- customers can be read through the contract and through a template. Dates that these systems take from their own clock are
-- those of Asia/Shanghai.
drop table if exists
    arrears, billing_closes, calibrations, financial_statements, grid_accidents, outages, satisfaction_surveys,
    service_contacts, social_credit_ratings, violations;

-- One state of each customer: the last one, known from the first day on.
create table states as
select distinct on (customer_id)
    customer_id,
    segment,
    left(region, 4) as region,
    cast(null as text) as feeder_id,
    connected_on,
    closed_on,
    cast(null as numeric(18, 3)) as contract_capacity_kva,
    cast(null as boolean) as has_reactive_compensation,
    cast(null as boolean) as has_backup_supply,
    cast(null as boolean) as is_life_support,
    cast(null as boolean) as is_protected,
    cast(null as text) as preferred_channel,
    cast(null as text) as contact,
    date_trunc('day', min(recorded_at) over (partition by customer_id), 'Asia/Shanghai') as recorded_at
from customers
order by customer_id, customers.recorded_at desc;

truncate customers;
insert into customers select * from states;
drop table states;

delete from collection_events
where event_type in ('plan_agreed', 'plan_broken', 'returned_payment', 'disconnection', 'reconnection');
update collection_events
set amount = case when event_type = 'write_off' then amount end,
    recorded_at = (occurred_on + time '23:59') at time zone 'Asia/Shanghai';

-- A credit is posted to the account, and no print document.
delete from bills where amount < 0 and cancels_bill_id is null;

update payments
set paid_on = cast(recorded_at at time zone 'Asia/Shanghai' as date)
where reverses_payment_id is not null;

insert into collection_events (event_id, customer_id, event_type, occurred_on, amount, recorded_at)
select 'R' || payment_id, customer_id, 'returned_payment', paid_on, amount, recorded_at
from payments
where reverses_payment_id is not null;
