-- optional
-- One row is a yearly financial statement of a non-residential customer. It counts once it is published.
create table financial_statements (
    statement_id text not null,
    customer_id text not null,
    period_end date not null,
    published_on date not null,
    total_assets numeric(18, 2) not null,
    total_liabilities numeric(18, 2) not null,
    current_assets numeric(18, 2) not null,
    current_liabilities numeric(18, 2) not null,
    net_profit numeric(18, 2) not null, -- below zero: a loss
    average_net_assets numeric(18, 2) not null, -- mean equity of the period, may be below zero
    loans_due numeric(18, 2), -- loans that fell due in the period
    loans_repaid_on_schedule numeric(18, 2),
    recorded_at timestamptz not null,
    constraint financial_statements_key primary key (statement_id),
    constraint financial_statements_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint financial_statements_published_after_period check (published_on >= period_end),
    constraint financial_statements_published_before_recorded check (published_on <= recorded_at::date),
    constraint financial_statements_total_assets_are_not_negative check (total_assets >= 0),
    constraint financial_statements_total_liabilities_are_not_negative check (total_liabilities >= 0),
    constraint financial_statements_current_assets_are_not_negative check (current_assets >= 0),
    constraint financial_statements_current_liabilities_are_not_negative check (current_liabilities >= 0),
    constraint financial_statements_loans_due_are_not_negative check (loans_due >= 0),
    constraint financial_statements_loans_repaid_are_not_negative check (loans_repaid_on_schedule >= 0)
);
