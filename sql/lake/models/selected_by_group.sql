-- Graded customers, and those with a favourable grade, by the groups of the fairness screen. One row per group.
-- Reads graded (customer_id, is_favourable). No parameters.
-- Fragments: table and column (where a customer's group stands).
select
    coalesce(cast(t.{column} as varchar), 'unknown') as "group",
    count(*) as customers,
    sum(case when g.is_favourable then 1 else 0 end) as selected
from graded as g
left join {table} as t on cast(t.customer_id as varchar) = g.customer_id
group by 1
order by 1
