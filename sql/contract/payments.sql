-- required
-- One row is money received, or given back: a row that names another in reverses_payment_id takes its amount back
-- from that payment (a returned cheque, a recalled direct debit).
create table payments (
    payment_id text not null,
    customer_id text not null,
    bill_id text, -- null, or no live bill: goes to the customer's oldest open bill
    paid_on date not null, -- the value date, from which on the money counts; it may lie after recorded_at
    amount numeric(18, 2) not null, -- above zero, in a reversal too
    reverses_payment_id text,
    channel text,
    recorded_at timestamptz not null,
    constraint payments_key primary key (payment_id),
    constraint payments_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint payments_bill_exists foreign key (bill_id) references bills (bill_id),
    constraint payments_reversed_payment_exists foreign key (reverses_payment_id) references payments (payment_id),
    constraint payments_paid_before_recorded check (paid_on <= recorded_at::date),
    constraint payments_amount_is_positive check (amount > 0)
);
