-- optional
-- One row is what a customer owed past its due date at a month's end, by the utility's own register. A customer
-- without a row for a month owed nothing overdue. A correction is a row with a later recorded_at.
create table arrears (
    customer_id text not null,
    as_of date not null, -- the last day of a month
    amount_overdue numeric(18, 2) not null, -- without late fees
    days_past_due integer not null, -- of the oldest overdue bill
    late_fee numeric(18, 2) not null,
    is_disputed boolean not null,
    is_on_payment_plan boolean not null,
    recorded_at timestamptz not null,
    constraint arrears_key primary key (customer_id, as_of, recorded_at),
    constraint arrears_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint arrears_as_of_before_recorded check (as_of <= recorded_at::date),
    constraint arrears_amount_is_not_negative check (amount_overdue >= 0),
    constraint arrears_days_are_not_negative check (days_past_due >= 0),
    constraint arrears_late_fee_is_not_negative check (late_fee >= 0)
);
