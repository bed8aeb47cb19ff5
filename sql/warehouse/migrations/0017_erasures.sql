-- Which customers were erased, on whose word. Runs once. Reads nothing.

create table ops.erasures (
    erasure_id bigint generated always as identity primary key,
    customer_sha256 text not null,
    erased_by text not null,
    reason text not null,
    found jsonb not null,
    erased_at timestamptz not null default now(),
    completed_at timestamptz
);

create index erasures_by_customer on ops.erasures (customer_sha256);

comment on table ops.erasures is 'One row an erasure of a customer. What the billing system still has of an erased customer is left out of what is extracted.';
comment on column ops.erasures.erasure_id is 'Running number.';
comment on column ops.erasures.customer_sha256 is 'sha256 of the customer''s id, in hexadecimal: who knows the id can tell, and nobody can read it here.';
comment on column ops.erasures.erased_by is 'Who decided.';
comment on column ops.erasures.reason is 'Why.';
comment on column ops.erasures.found is 'Rows by table of lake and warehouse, as found when it began.';
comment on column ops.erasures.erased_at is 'When it began.';
comment on column ops.erasures.completed_at is 'When it was done; null: it was broken off, erase again.';
