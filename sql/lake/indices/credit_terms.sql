-- For a creditor who grants terms, so that a bill may stay open without being overdue: what is overdue is then what
-- the arrears register says, and how much may stay open is the capacity. One row per rated customer. Not in the default
-- policy; docs/real-data.md rates credit-card customers with it.
--   register_days_past_due   highest days past due at a month end
--   latest_days_past_due     days past due at the last month end before the cut-off
--   months_in_arrears        month ends with something overdue, each halved every delinquency_half_life_months
--   register_arrears_ratio   overdue at the last month end / average monthly bill
--   log_contract_capacity    ln(1 + contract capacity)
-- Reads population, live_bills, arrears_register.
-- Parameters: as_of, months_ago_1, since_*, delinquency_half_life_months.
with register as (
    select
        customer_id,
        max(case when as_of >= :since_register_days_past_due then days_past_due end) as days_past_due,
        max(case when as_of >= :since_latest_days_past_due then days_past_due end) as latest_days_past_due,
        max(case when as_of >= :months_ago_1 then amount_overdue end) as latest_overdue,
        sum(
            case
                when days_past_due > 0 and as_of >= :since_months_in_arrears
                    then cast(
                        power(2, -date_diff('day', as_of, :as_of) / 30.4375e0 / :delinquency_half_life_months)
                        as decimal(18, 9)
                    )
                else 0
            end
        ) as months_in_arrears
    from arrears_register
    group by customer_id
),

billed as (
    select
        customer_id,
        sum(amount) as amount,
        bit_count(
            bit_or(((cast(1 as bigint) << months) - 1) << date_diff('month', billing_month, :as_of))
        ) as months
    from live_bills
    where billing_month >= :since_register_arrears_ratio
        and billing_month < :as_of
        and amount > 0
    group by customer_id
)

select
    p.customer_id,
    cast(r.days_past_due as double) as register_days_past_due,
    cast(r.latest_days_past_due as double) as latest_days_past_due,
    cast(r.months_in_arrears as double) as months_in_arrears,
    cast(coalesce(r.latest_overdue, 0) as double) * b.months / cast(b.amount as double) as register_arrears_ratio,
    ln(1 + cast(p.contract_capacity_kva as double)) as log_contract_capacity
from population as p
left join register as r on r.customer_id = p.customer_id
left join billed as b on b.customer_id = p.customer_id
