-- One row a published month and customer group: who is in it, what they are worth and how they are graded.
-- Customers who closed are in no group; by grade: report.group_grades.
-- Reads rating.customer_groups, rating.credit_grades and ops.publications. One month reads its own partitions alone.

select
    p.rating_month,
    g.group_name,
    g.value_group,
    g.demand_group,
    g.behaviour_group,
    g.customers,
    g.customers / sum(g.customers) over (partition by p.rating_month) as share,
    g.revenue,
    g.revenue / nullif(sum(g.revenue) over (partition by p.rating_month), 0) as revenue_share,
    g.mean_score,
    g.mean_default_probability,
    g.expected_defaults
from ops.publications as p
inner join (
    select
        u.rating_month,
        u.group_name,
        u.value_group,
        u.demand_group,
        u.behaviour_group,
        count(*) as customers,
        sum(u.revenue) as revenue,
        avg(c.score) as mean_score,
        avg(c.default_probability) as mean_default_probability,
        sum(c.default_probability) as expected_defaults
    from rating.customer_groups as u
    inner join rating.credit_grades as c
        on c.rating_month = u.rating_month
        and c.customer_id = u.customer_id
    group by u.rating_month, u.group_name, u.value_group, u.demand_group, u.behaviour_group
) as g on g.rating_month = p.rating_month
where p.superseded_at is null
