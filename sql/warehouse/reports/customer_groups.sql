-- One row a customer group of the latest published month: who is in it, what they are worth and how they are graded.
-- grade_mix gives customers by grade. Customers who closed are in no group.
-- Reads rating.customer_groups, rating.credit_grades and ops.publications.

with members as (
    select
        g.rating_month,
        g.group_name,
        g.value_group,
        g.demand_group,
        g.behaviour_group,
        g.revenue,
        c.score,
        c.default_probability,
        c.grade
    from rating.customer_groups as g
    inner join rating.credit_grades as c
        on c.rating_month = g.rating_month
        and c.customer_id = g.customer_id
    where g.rating_month = (select max(p.rating_month) from ops.publications as p where p.superseded_at is null)
),

graded as (
    select
        group_name,
        grade,
        count(*) as customers
    from members
    group by group_name, grade
),

mixed as (
    select
        group_name,
        jsonb_object_agg(grade, customers) as grade_mix
    from graded
    group by group_name
)

select
    m.rating_month,
    m.group_name,
    m.value_group,
    m.demand_group,
    m.behaviour_group,
    count(*) as customers,
    count(*) / sum(count(*)) over () as share,
    sum(m.revenue) as revenue,
    sum(m.revenue) / nullif(sum(sum(m.revenue)) over (), 0) as revenue_share,
    avg(m.score) as mean_score,
    avg(m.default_probability) as mean_default_probability,
    sum(m.default_probability) as expected_defaults,
    x.grade_mix
from members as m
inner join mixed as x on x.group_name = m.group_name
group by m.rating_month, m.group_name, m.value_group, m.demand_group, m.behaviour_group, x.grade_mix
