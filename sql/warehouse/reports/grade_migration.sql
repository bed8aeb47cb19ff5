-- One row a published month and move since the month published before it: customers by state then and state now.
-- A state is a grade, default (rated in default), new (not rated in the earlier month) or closed (not rated in the later
-- one). share is that of the customers who were in from_state; shares of a month and from_state add up to 1.
-- from_ordinal and to_ordinal sort the states: grades from the best on, then default, then new or closed.
-- Reads rating.credit_grades, rating.grade_scales and ops.publications. The lateral joins let a month read its own two
-- partitions alone.

select
    m.rating_month,
    m.previous_month,
    moved.from_state,
    coalesce(o.grade_ordinal, case moved.from_state when 'default' then 98 else 99 end) as from_ordinal,
    moved.to_state,
    coalesce(d.grade_ordinal, case moved.to_state when 'default' then 98 else 99 end) as to_ordinal,
    moved.customers,
    moved.customers / sum(moved.customers) over (partition by m.rating_month, moved.from_state) as share
from (
    select
        p.rating_month,
        lag(p.rating_month) over (order by p.rating_month) as previous_month
    from ops.publications as p
    where p.superseded_at is null
) as m
cross join lateral (
    select
        coalesce(b.state, 'new') as from_state,
        coalesce(a.state, 'closed') as to_state,
        count(*) as customers
    from (
        select
            g.customer_id,
            case when g.rating_basis = 'default' then 'default' else g.grade end as state
        from rating.credit_grades as g
        where g.rating_month = m.previous_month
    ) as b
    full join (
        select
            g.customer_id,
            case when g.rating_basis = 'default' then 'default' else g.grade end as state
        from rating.credit_grades as g
        where g.rating_month = m.rating_month
    ) as a on a.customer_id = b.customer_id
    where m.previous_month is not null
    group by 1, 2
) as moved
left join rating.grade_scales as o on o.rating_month = m.rating_month and o.is_current and o.grade = moved.from_state
left join rating.grade_scales as d on d.rating_month = m.rating_month and d.is_current and d.grade = moved.to_state
