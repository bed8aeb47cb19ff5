-- optional
-- One row is a breach of the supply contract, as detected. It is open until resolved_on.
create table violations (
    violation_id text not null,
    customer_id text not null,
    violation_type text not null,
    detected_on date not null,
    resolved_on date,
    energy_kwh numeric(18, 3), -- energy not metered, as estimated
    penalty numeric(18, 2),
    recorded_at timestamptz not null,
    constraint violations_key primary key (violation_id),
    constraint violations_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint violations_type_is_known check (violation_type in ('theft', 'contract_breach', 'safety_hazard')),
    constraint violations_resolved_after_detected check (resolved_on >= detected_on),
    constraint violations_detected_before_recorded check (detected_on <= recorded_at::date),
    constraint violations_energy_is_not_negative check (energy_kwh >= 0),
    constraint violations_penalty_is_not_negative check (penalty >= 0)
);
