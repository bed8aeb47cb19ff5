-- One row a published month, segment and region: what is expected to be lost there, and what is owed.
-- The exposure of a customer is what it was billed in 12 months; expected_loss takes all of it for lost in a default.
-- Owed money is null where the measures of the month are not decided yet, or were before regions were recorded.
-- Reads rating.portfolio_cells, ops.receivables and ops.publications.

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
        c.publication_id,
        c.segment,
        coalesce(c.region, '') as region,
        cast(sum(c.customers) as bigint) as customers,
        sum(c.score) / sum(c.customers) as mean_score,
        sum(c.expected_defaults) as expected_defaults,
        sum(c.exposure) as exposure,
        sum(c.expected_loss) as expected_loss
    from rating.portfolio_cells as c
    group by 1, 2, 3
) as g on g.publication_id = m.publication_id
left join ops.receivables as r
    on r.rating_month = m.rating_month
    and r.segment = g.segment
    and r.region = g.region
where m.superseded_at is null
