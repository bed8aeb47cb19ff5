-- Each group of an aspect: customers, billed, and the means of what it is grouped by. One row per group.
-- Reads grouped, members. No parameters.
-- Fragments: aspect (value, demand or behaviour), means (a mean per column).
select
    g.{aspect}_group as group_name,
    count(*) as customers,
    cast(sum(g.revenue) as decimal(38, 2)) as billed,
    {means}
from grouped as g
inner join members as m on m.customer_id = g.customer_id
where not m.is_closed
group by g.{aspect}_group
