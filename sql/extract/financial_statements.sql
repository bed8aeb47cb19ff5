-- One row is a financial statement of a customer that is a company, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    statement_id,
    customer_id,
    period_end,
    published_on,
    total_assets,
    total_liabilities,
    current_assets,
    current_liabilities,
    net_profit,
    average_net_assets,
    loans_due,
    loans_repaid_on_schedule,
    recorded_at
from financial_statements
where recorded_at >= :recorded_from and recorded_at < :recorded_before
