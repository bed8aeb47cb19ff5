-- One row a published month: the portfolio in a few figures, with their change since the month published before it.
-- Money is null where the measures of the month, or of the one before, are not decided yet.
-- Reads rating.portfolio_cells, ops.publications and ops.receivables.

with months as (
    select
        p.publication_id,
        p.rating_month,
        p.basis,
        p.revision,
        lag(p.publication_id) over (order by p.rating_month) as previous_publication_id,
        lag(p.rating_month) over (order by p.rating_month) as previous_month
    from ops.publications as p
    where p.superseded_at is null
),

portfolios as (
    select
        c.publication_id,
        cast(sum(c.customers) as bigint) as customers,
        sum(c.score) / sum(c.customers) as mean_score,
        sum(c.expected_defaults) as expected_defaults,
        sum(c.expected_defaults) / sum(c.customers) as mean_default_probability,
        cast(coalesce(sum(c.customers) filter (where c.rating_basis = 'default'), 0) as bigint) as in_default,
        cast(coalesce(sum(c.customers) filter (where c.notch_change > 0), 0) as bigint) as upgrades,
        cast(coalesce(sum(c.customers) filter (where c.notch_change < 0), 0) as bigint) as downgrades
    from rating.portfolio_cells as c
    group by c.publication_id
),

money as (
    select
        s.rating_month,
        sum(s.billed) as billed,
        sum(s.collected) as collected,
        sum(s.receivable) as receivable,
        sum(s.overdue) as overdue
    from ops.receivables as s
    group by s.rating_month
)

select
    m.rating_month,
    m.previous_month,
    m.basis,
    m.revision,
    coalesce(g.customers, 0) as customers,
    coalesce(g.customers, 0) - b.customers as customers_change,
    g.mean_score,
    g.mean_score - b.mean_score as mean_score_change,
    g.expected_defaults,
    g.mean_default_probability,
    g.mean_default_probability - b.mean_default_probability as mean_default_probability_change,
    coalesce(g.in_default, 0) as in_default,
    case when m.previous_month is not null then coalesce(g.in_default, 0) - coalesce(b.in_default, 0) end as in_default_change,
    coalesce(g.upgrades, 0) as upgrades,
    coalesce(g.downgrades, 0) as downgrades,
    r.billed,
    r.collected,
    r.receivable,
    r.overdue,
    r.overdue - d.overdue as overdue_change,
    r.collected / nullif(r.billed, 0) as recovery_rate,
    r.collected / nullif(r.billed, 0) - d.collected / nullif(d.billed, 0) as recovery_rate_change
from months as m
left join portfolios as g on g.publication_id = m.publication_id
left join portfolios as b on b.publication_id = m.previous_publication_id
left join money as r on r.rating_month = m.rating_month
left join money as d on d.rating_month = m.previous_month
