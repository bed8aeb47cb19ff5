-- One row a published month, aspect (value, demand, behaviour) and group: who is in it, in figures and in words.
-- means gives the mean of each measure the aspect is grouped by.
-- Reads rating.group_profiles.

select
    g.rating_month,
    g.aspect,
    g.group_name,
    g.customers,
    g.revenue,
    g.revenue / nullif(g.customers, 0) as mean_revenue,
    g.profile
from rating.group_profiles as g
