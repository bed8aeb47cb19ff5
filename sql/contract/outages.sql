-- optional
-- One row is an interruption of a feeder, planned (then recorded ahead of its start) or not.
create table outages (
    outage_id text not null,
    feeder_id text not null,
    is_planned boolean not null,
    announced_at timestamptz, -- of a planned outage
    starts_at timestamptz not null,
    ends_at timestamptz, -- null: not known when recorded
    recorded_at timestamptz not null,
    constraint outages_key primary key (outage_id),
    constraint outages_ends_after_start check (ends_at >= starts_at),
    constraint outages_announced_before_recorded check (announced_at <= recorded_at)
);
