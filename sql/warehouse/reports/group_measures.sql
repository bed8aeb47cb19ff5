-- One row a published month, aspect, group and measure: the mean of the measure over the group's customers.
-- Reads rating.group_profiles.

select
    g.rating_month,
    g.aspect,
    g.group_name,
    m.measure,
    cast(m.mean as double precision) as mean
from rating.group_profiles as g
cross join lateral json_each_text(g.means) as m (measure, mean)
