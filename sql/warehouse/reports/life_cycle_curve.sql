-- One row a published month and life-cycle stage, in the order of a customer's life: customers of all segments.
-- Customers who closed are counted in the month in which they did. revenue is what they were billed in 12 months.
-- Reads rating.customer_groups.

select
    g.rating_month,
    g.life_cycle_stage,
    array_position(array['new', 'growth', 'mature', 'decline', 'closed'], g.life_cycle_stage) as stage_ordinal,
    count(*) as customers,
    count(*) / sum(count(*)) over (partition by g.rating_month) as share,
    sum(g.revenue) as revenue,
    avg(g.revenue) as mean_revenue
from rating.customer_groups as g
group by g.rating_month, g.life_cycle_stage
