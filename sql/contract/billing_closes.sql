-- optional
-- One row says that the billing of a month is complete. The monthly cycle waits for it; without this table it does not.
create table billing_closes (
    billing_month date not null, -- the first of the month
    closed_at timestamptz not null,
    constraint billing_closes_key primary key (billing_month),
    constraint billing_closes_month_is_first_day check (extract(day from billing_month) = 1),
    constraint billing_closes_closed_after_start check (closed_at::date >= billing_month)
);
