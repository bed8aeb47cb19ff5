-- One row a published month, segment and life-cycle stage: customers, their share of the segment, and their revenue.
-- Customers who closed are counted in the month in which they did. revenue is what they were billed in 12 months.
-- Reads rating.customer_groups.

select
    g.rating_month,
    g.segment,
    g.life_cycle_stage,
    count(*) as customers,
    count(*) / sum(count(*)) over (partition by g.rating_month, g.segment) as share,
    sum(g.revenue) as revenue,
    avg(g.revenue) as mean_revenue
from rating.customer_groups as g
group by g.rating_month, g.segment, g.life_cycle_stage
