-- required
-- One row is a bill as it was issued. Append-only: a bill is voided by a later row that names it in cancels_bill_id,
-- whose own amount is that of the replacement bill, or not above zero for a pure cancellation. A negative amount that
-- cancels nothing is a credit note.
create table bills (
    bill_id text not null,
    customer_id text not null,
    billing_month date not null, -- the first of the month the bill is for, of several the last
    period_start date, -- what was consumed from this day
    period_end date, -- to the day before this one; null, as period_start: in the billing month
    issued_on date not null,
    due_on date not null, -- the last day on which a payment is on time
    amount numeric(18, 2) not null, -- in the utility's currency, taxes included
    kwh numeric(18, 3), -- active energy; negative: fed into the grid, or a correction
    kvarh numeric(18, 3), -- reactive energy
    is_estimated boolean not null, -- the meter was not read
    cancels_bill_id text,
    recorded_at timestamptz not null,
    constraint bills_key primary key (bill_id),
    constraint bills_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint bills_cancelled_bill_exists foreign key (cancels_bill_id) references bills (bill_id),
    constraint bills_billing_month_is_first_day check (extract(day from billing_month) = 1),
    constraint bills_due_after_issued check (due_on >= issued_on),
    constraint bills_issued_before_recorded check (issued_on <= recorded_at::date),
    constraint bills_period_end_after_period_start check (period_end >= period_start),
    constraint bills_kvarh_is_not_negative check (kvarh >= 0)
);
