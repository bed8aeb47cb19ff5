-- One row a published month, segment and region: what is expected to be lost there, and what is owed.
-- The exposure of a customer is what it was billed in 12 months; expected_loss takes all of it for lost in a default.
-- Owed money is null where the measures of the month are not decided yet, or were before regions were recorded.
-- Reads rating.credit_grades, rating.customer_groups, ops.receivables and ops.publications. One month reads its
-- own partitions alone.

select
    m.rating_month,
    g.segment,
    g.region,
    g.customers,
    g.mean_score,
    g.expected_defaults,
    g.expected_defaults / g.customers as mean_default_probability,
    g.exposure,
    g.expected_loss,
    g.expected_loss / nullif(g.exposure, 0) as expected_loss_rate,
    r.receivable,
    r.overdue,
    r.overdue / nullif(r.receivable, 0) as overdue_share
from ops.publications as m
inner join (
    select
        c.rating_month,
        c.segment,
        coalesce(c.region, '') as region,
        count(*) as customers,
        avg(c.score) as mean_score,
        sum(c.default_probability) as expected_defaults,
        sum(u.revenue) as exposure,
        sum(c.default_probability * u.revenue) as expected_loss
    from rating.credit_grades as c
    left join rating.customer_groups as u
        on u.rating_month = c.rating_month
        and u.customer_id = c.customer_id
    group by 1, 2, 3
) as g on g.rating_month = m.rating_month
left join ops.receivables as r
    on r.rating_month = m.rating_month
    and r.segment = g.segment
    and r.region = g.region
where m.superseded_at is null
