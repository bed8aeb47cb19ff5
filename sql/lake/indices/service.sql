-- What service means to a customer, Q1 and Q2: one row per rated customer. Neither ever enters the credit score.
--   service_quality_sensitivity           the median slope of the customer's own pairs of answers (Theil-Sen), from
--                                         min_survey_pairs on, shrunk to the segment's
--   service_quality_sensitivity_fallback  the segment's slope
--   outage_sensitivity                    the share of the feeder's outages, since the customer is connected, that the
--                                         customer reported within outage_report_hours, with a prior added
--   outage_sensitivity_fallback           the prior
-- A report is about the last outage that began before it. An outage is dated by the utility's time zone.
-- Reads population, satisfaction_slopes, segment_slopes (segment, slope), outages, service_contacts.
-- Parameters: as_of, as_of_at (the instant), timezone, since_*, min_survey_pairs, survey_shrinkage_pairs,
-- outage_report_hours, outage_prior_*.
with ordered_slopes as (
    select
        customer_id,
        slope,
        row_number() over (partition by customer_id order by slope) as place,
        count(*) over (partition by customer_id) as pairs
    from satisfaction_slopes
),

own_slopes as (
    select
        customer_id,
        pairs,
        avg(slope) as slope
    from ordered_slopes
    where pairs >= :min_survey_pairs
        and 2 * place between pairs and pairs + 2
    group by customer_id, pairs
),

dark as (
    select
        outage_id,
        feeder_id,
        starts_at,
        cast(starts_at at time zone :timezone as date) as started_on
    from outages
    where starts_at < :as_of_at
),

-- Customers of a feeder differ in nothing but the day of their connection, and that mostly lies before the window.
connected as (
    select
        customer_id,
        feeder_id,
        greatest(connected_on, :since_outage_sensitivity) as since
    from population
    where feeder_id is not null
),

outages_seen as (
    select
        c.feeder_id,
        c.since,
        count(*) as outages
    from (select distinct feeder_id, since from connected) as c
    inner join dark as d on d.feeder_id = c.feeder_id and d.started_on >= c.since
    group by c.feeder_id, c.since
),

reports as (
    select
        r.contact_id,
        c.customer_id,
        max(d.starts_at) as starts_at
    from service_contacts as r
    inner join connected as c on c.customer_id = r.customer_id
    inner join dark as d
        on d.feeder_id = c.feeder_id
        and d.started_on >= c.since
        and d.starts_at <= r.contacted_at
        and d.starts_at + :outage_report_hours * interval 1 hour >= r.contacted_at
    where r.contact_type = 'outage_report'
        and r.contacted_at < :as_of_at
    group by r.contact_id, c.customer_id
),

outages_reported as (
    select
        customer_id,
        count(distinct starts_at) as outages
    from reports
    group by customer_id
)

select
    p.customer_id,
    (o.pairs * o.slope + :survey_shrinkage_pairs * s.slope)
    / (o.pairs + :survey_shrinkage_pairs) as service_quality_sensitivity,
    s.slope as service_quality_sensitivity_fallback,
    (coalesce(r.outages, 0) + :outage_prior_reports)
    / cast(n.outages + :outage_prior_outages as double) as outage_sensitivity,
    cast(:outage_prior_reports as double) / :outage_prior_outages as outage_sensitivity_fallback
from population as p
left join own_slopes as o on o.customer_id = p.customer_id
left join segment_slopes as s on s.segment = p.segment
left join connected as c on c.customer_id = p.customer_id
left join outages_seen as n on n.feeder_id = c.feeder_id and n.since = c.since
left join outages_reported as r on r.customer_id = p.customer_id
