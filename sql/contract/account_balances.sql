-- optional
-- One row is what a customer owed at a month's end, due or not, by the utility's own accounts. The earliest in the lake
-- says what was owed before the lake's bills and payments begin. A correction is a row with a later recorded_at.
create table account_balances (
    customer_id text not null,
    as_of date not null, -- the last day of a month
    balance numeric(18, 2) not null, -- negative: the customer has a credit
    recorded_at timestamptz not null,
    constraint account_balances_key primary key (customer_id, as_of, recorded_at),
    constraint account_balances_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint account_balances_as_of_before_recorded check (as_of <= recorded_at::date)
);
