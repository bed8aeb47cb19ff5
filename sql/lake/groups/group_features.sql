-- What customers are grouped by, beside their indices: one row per rated customer, and one per customer who is gone
-- since the month before (is_closed: closed within the month, or known to be closed since then).
--   revenue             billed in 12 months
--   outages             interruptions of the customer's feeder that began in 12 months; null: the feeder is not known
--   outage_minutes      their minutes before the cut-off, where their end is known
--   voltage_complaints, contacts   how often the customer got in touch in 12 months: over the voltage, and at all
-- Reads customers, population, live_bills, outages, service_contacts.
-- Parameters: as_of, months_ago_1, months_ago_12, as_of_instant, year_start_instant,
-- closings_recorded_from (null: the day of a closing alone tells which month it belongs to).
with gone as (
    select
        customer_id,
        segment,
        connected_on
    from customers
    where connected_on < :as_of
        and closed_on < :as_of
        and (closed_on >= :months_ago_1 or recorded_at >= :closings_recorded_from)
),

counted as (
    select
        customer_id,
        segment,
        connected_on,
        false as is_closed
    from population
    union all
    select
        customer_id,
        segment,
        connected_on,
        true as is_closed
    from gone
),

billed as (
    select
        customer_id,
        cast(sum(amount) as decimal(18, 2)) as amount
    from live_bills
    where billing_month >= :months_ago_12 and billing_month < :as_of
    group by customer_id
),

dark as (
    select
        feeder_id,
        count(*) as outages,
        sum(case when ends_at > starts_at then date_diff('second', starts_at, least(ends_at, :as_of_instant)) end) as seconds
    from outages
    where starts_at >= :year_start_instant and starts_at < :as_of_instant
    group by feeder_id
),

in_touch as (
    select
        customer_id,
        count(case when contact_type = 'voltage_complaint' then 1 end) as voltage_complaints,
        count(*) as contacts
    from service_contacts
    where contacted_at >= :year_start_instant and contacted_at < :as_of_instant
    group by customer_id
)

select
    p.customer_id,
    p.segment,
    p.connected_on,
    p.is_closed,
    coalesce(b.amount, cast(0 as decimal(18, 2))) as revenue,
    case when c.feeder_id is not null then coalesce(d.outages, 0) end as outages,
    case when c.feeder_id is not null then cast(coalesce(d.seconds, 0) as double) / 60 end as outage_minutes,
    coalesce(t.voltage_complaints, 0) as voltage_complaints,
    coalesce(t.contacts, 0) as contacts
from counted as p
inner join customers as c on c.customer_id = p.customer_id
left join billed as b on b.customer_id = p.customer_id
left join dark as d on d.feeder_id = c.feeder_id
left join in_touch as t on t.customer_id = p.customer_id
