-- optional
-- One row is an accident on the grid at or near a customer.
create table grid_accidents (
    accident_id text not null,
    customer_id text not null,
    occurred_on date not null,
    severity integer not null, -- 1 slight ... 4 grave
    customer_minutes_lost bigint not null, -- minutes without supply, summed over the customers hit
    is_customer_caused boolean not null,
    recorded_at timestamptz not null,
    constraint grid_accidents_key primary key (accident_id),
    constraint grid_accidents_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint grid_accidents_occurred_before_recorded check (occurred_on <= recorded_at::date),
    constraint grid_accidents_severity_in_range check (severity between 1 and 4),
    constraint grid_accidents_minutes_are_not_negative check (customer_minutes_lost >= 0)
);
