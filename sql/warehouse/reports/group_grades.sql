-- One row a published month, customer group and grade: the customers of the group who have the grade.
-- Customers who closed are in no group.
-- Reads rating.customer_groups, rating.credit_grades, rating.grade_scales and ops.publications. One month
-- reads its own partitions alone.

select
    p.rating_month,
    g.group_name,
    g.grade,
    s.grade_ordinal,
    g.customers,
    g.customers / sum(g.customers) over (partition by p.rating_month, g.group_name) as share
from ops.publications as p
inner join (
    select
        u.rating_month,
        u.group_name,
        c.grade,
        count(*) as customers
    from rating.customer_groups as u
    inner join rating.credit_grades as c
        on c.rating_month = u.rating_month
        and c.customer_id = u.customer_id
    group by u.rating_month, u.group_name, c.grade
) as g on g.rating_month = p.rating_month
left join rating.grade_scales as s
    on s.publication_id = p.publication_id
    and s.grade = g.grade
where p.superseded_at is null
