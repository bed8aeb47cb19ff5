-- One row a published month and reason: how many customers it counts against, and its place among the reasons.
-- A customer has up to four; first_customers have it as their first.
-- Reads rating.credit_grades, rating.index_definitions and ops.publications. The lateral join lets a month read its own
-- partition alone; customers are counted by their four reasons first.

with definitions as (
    select distinct on (code)
        code,
        index_name,
        meaning,
        reason_en,
        reason_zh
    from rating.index_definitions
    order by code, index_name
)

select
    m.rating_month,
    rank() over (partition by m.rating_month order by r.customers desc, r.first_customers desc, r.code) as place,
    r.code,
    d.index_name,
    d.meaning,
    d.reason_en,
    d.reason_zh,
    r.customers,
    r.customers / nullif(m.rows, 0)::numeric as share,
    r.first_customers
from ops.publications as m
cross join lateral (
    with combinations as (
        select
            g.reason_1,
            g.reason_2,
            g.reason_3,
            g.reason_4,
            count(*) as customers
        from rating.credit_grades as g
        where g.rating_month = m.rating_month
        group by g.reason_1, g.reason_2, g.reason_3, g.reason_4
    )

    select
        o.code,
        sum(c.customers) as customers,
        sum(case when o.reason_rank = 1 then c.customers else 0 end) as first_customers
    from combinations as c
    cross join lateral unnest(array[c.reason_1, c.reason_2, c.reason_3, c.reason_4]) with ordinality as o (code, reason_rank)
    where o.code is not null
    group by o.code
) as r
left join definitions as d on d.code = r.code
where m.superseded_at is null
