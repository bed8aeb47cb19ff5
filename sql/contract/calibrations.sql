-- optional
-- One row is a calibration of a customer's meter or protection that fell due; performed_on is null where it was missed.
create table calibrations (
    calibration_id text not null,
    customer_id text not null,
    due_on date not null,
    performed_on date, -- may be before due_on
    recorded_at timestamptz not null,
    constraint calibrations_key primary key (calibration_id),
    constraint calibrations_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint calibrations_performed_before_recorded check (performed_on <= recorded_at::date)
);
