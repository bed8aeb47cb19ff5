-- One row a published month and customer group: how sensitive its customers are to service quality and to outages.
-- rated counts customers whose sensitivity is known; sensitive_share is the share of these who are more sensitive than
-- nine tenths of the month's customers. Neither sensitivity enters a score.
-- Reads rating.customer_groups and ops.publications. The lateral join lets a month read its own partition alone.

select
    m.rating_month,
    s.group_name,
    s.customers,
    s.service_rated,
    s.mean_service_sensitivity,
    s.service_sensitive_share,
    s.outage_rated,
    s.mean_outage_sensitivity,
    s.outage_sensitive_share
from ops.publications as m
cross join lateral (
    with members as (
        select
            g.group_name,
            g.service_sensitivity,
            g.outage_sensitivity
        from rating.customer_groups as g
        where g.rating_month = m.rating_month
            and g.life_cycle_stage <> 'closed'
    ),

    bounds as (
        select
            percentile_cont(0.9) within group (order by service_sensitivity) as service,
            percentile_cont(0.9) within group (order by outage_sensitivity) as outage
        from members
    )

    select
        g.group_name,
        count(*) as customers,
        count(g.service_sensitivity) as service_rated,
        avg(g.service_sensitivity) as mean_service_sensitivity,
        avg(case when g.service_sensitivity is not null then (g.service_sensitivity > b.service)::int end) as service_sensitive_share,
        count(g.outage_sensitivity) as outage_rated,
        avg(g.outage_sensitivity) as mean_outage_sensitivity,
        avg(case when g.outage_sensitivity is not null then (g.outage_sensitivity > b.outage)::int end) as outage_sensitive_share
    from members as g
    cross join bounds as b
    group by g.group_name
) as s
where m.superseded_at is null
