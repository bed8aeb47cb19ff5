-- optional
-- One row is a step of collecting a debt.
create table collection_events (
    event_id text not null,
    customer_id text not null,
    event_type text not null,
    occurred_on date not null,
    amount numeric(18, 2), -- the debt the step was about
    recorded_at timestamptz not null,
    constraint collection_events_key primary key (event_id),
    constraint collection_events_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint collection_events_type_is_known check (
        event_type in (
            'overdue_notice', 'returned_payment', 'plan_agreed', 'plan_broken', 'disconnection', 'reconnection', 'write_off'
        )
    ),
    constraint collection_events_occurred_before_recorded check (occurred_on <= recorded_at::date),
    constraint collection_events_amount_is_not_negative check (amount >= 0)
);
