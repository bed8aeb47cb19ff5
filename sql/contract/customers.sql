-- required
-- One row is a customer as the utility knew it from recorded_at on. Append-only: a change (a closing, a return, a new
-- feeder) is a new row of the same customer_id, so the customers of a month are the latest row of each before its cut-off.
create table customers (
    customer_id text not null,
    segment text not null,
    region text not null,
    feeder_id text, -- null: not known; the customer then has no outage indices
    connected_on date not null, -- of the present contract: a customer who comes back starts anew
    closed_on date,
    contract_capacity_kva numeric(18, 3), -- kVA
    has_reactive_compensation boolean,
    has_backup_supply boolean,
    is_life_support boolean, -- a device somebody's life hangs on
    is_protected boolean, -- medical, age or moratorium: shields from punitive actions, never moves the score
    preferred_channel text, -- email, or null: letters go by mail, where contact is an address; any other: they do not
    contact text, -- personal: where notices go, an address; read when a letter is sent, never copied to the lake
    recorded_at timestamptz not null,
    constraint customers_key primary key (customer_id, recorded_at),
    constraint customers_segment_is_known check (
        segment in ('residential', 'commercial', 'industrial', 'agricultural', 'public')
    ),
    constraint customers_closed_after_connected check (closed_on >= connected_on),
    constraint customers_capacity_is_not_negative check (contract_capacity_kva >= 0)
);
