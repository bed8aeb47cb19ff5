-- Finance, F1 to F4: one row per rated customer. A statement counts from its publication on, F1 to F3 for
-- statement_validity_months; of several for one period, the one published (then recorded) last. F4 counts every
-- statement of its window, however old the latest is.
-- Reads population, financial_statements.
-- Parameters: as_of, statements_since (the first day of publication), since_loan_repayment_on_schedule_rate,
-- max_asset_liability_ratio, max_current_ratio, min_return_on_net_assets.
with published as (
    select
        *,
        row_number() over (
            partition by customer_id, period_end
            order by published_on desc, recorded_at desc, statement_id desc
        ) as version
    from financial_statements
    where published_on < :as_of
        and (published_on >= :statements_since or period_end >= :since_loan_repayment_on_schedule_rate)
),

statements as (
    select
        *,
        row_number() over (
            partition by customer_id, published_on >= :statements_since
            order by period_end desc
        ) as place
    from published
    where version = 1
),

loans as (
    select
        customer_id,
        sum(loans_due) as due,
        sum(loans_repaid_on_schedule) as repaid
    from statements
    where period_end >= :since_loan_repayment_on_schedule_rate
        and loans_due is not null
        and loans_repaid_on_schedule is not null
    group by customer_id
)

select
    p.customer_id,
    case
        when s.total_assets > 0
            then least(:max_asset_liability_ratio, cast(s.total_liabilities as double) / cast(s.total_assets as double))
        when s.total_liabilities > 0 then :max_asset_liability_ratio
    end as asset_liability_ratio,
    case
        when s.current_liabilities > 0
            then least(:max_current_ratio, cast(s.current_assets as double) / cast(s.current_liabilities as double))
        when s.current_assets > 0 then :max_current_ratio
    end as current_ratio,
    case
        when s.average_net_assets > 0
            then greatest(
                :min_return_on_net_assets, cast(s.net_profit as double) / cast(s.average_net_assets as double)
            )
        when s.average_net_assets <= 0 then :min_return_on_net_assets
    end as return_on_net_assets,
    case when l.due > 0 then cast(l.repaid as double) / cast(l.due as double) end as loan_repayment_on_schedule_rate
from population as p
left join statements as s
    on s.customer_id = p.customer_id
    and s.place = 1
    and s.published_on >= :statements_since
left join loans as l on l.customer_id = p.customer_id
