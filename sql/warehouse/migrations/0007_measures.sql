-- What deciding on measures remembers: who looks after whom, what customers were told of outages, and figures of a month
-- that the warehouse cannot work out by itself.

-- ops.account_managers: one row a month and customer who has a manager -------------------------------------------------

create table ops.account_managers (
    rating_month date not null,
    customer_id text not null,
    manager text not null,
    since date not null check (since <= rating_month),
    primary key (rating_month, customer_id)
);

comment on table ops.account_managers is 'One row a rating month and customer who has an account manager; made anew with the month from that of the month before.';
comment on column ops.account_managers.rating_month is 'First day of the rating month.';
comment on column ops.account_managers.customer_id is 'Customer.';
comment on column ops.account_managers.manager is 'Who looks after the customer, by a name of the policy.';
comment on column ops.account_managers.since is 'First day of the rating month from which on this manager does.';

-- ops.outage_notices: one row a thing that a customer was told of an outage --------------------------------------------

create table ops.outage_notices (
    outage_id text not null,
    customer_id text not null,
    sequence integer not null check (sequence >= 0),
    action_id uuid not null references ops.service_actions,
    feeder_id text not null,
    starts_at timestamptz,
    ends_at timestamptz,
    decided_at timestamptz not null,
    hours_ahead numeric(9, 2) not null,
    is_late boolean not null,
    primary key (outage_id, customer_id, sequence)
);

create index outage_notices_ahead on ops.outage_notices (starts_at);

comment on table ops.outage_notices is 'One row a notice of a planned outage, or an amendment of one, to one customer.';
comment on column ops.outage_notices.outage_id is 'Outage.';
comment on column ops.outage_notices.customer_id is 'Customer.';
comment on column ops.outage_notices.sequence is '0 the notice; 1, 2, ... its amendments.';
comment on column ops.outage_notices.action_id is 'The action that tells it.';
comment on column ops.outage_notices.feeder_id is 'Feeder.';
comment on column ops.outage_notices.starts_at is 'Start that it tells; null: the outage is called off.';
comment on column ops.outage_notices.ends_at is 'End that it tells; null: not known.';
comment on column ops.outage_notices.decided_at is 'The moment of the run that decided it.';
comment on column ops.outage_notices.hours_ahead is 'From then until the outage starts; of an outage called off, until it would have.';
comment on column ops.outage_notices.is_late is 'That is less than the policy asks for.';

-- ops.receivables: one row a month and segment -------------------------------------------------------------------------

create table ops.receivables (
    rating_month date not null,
    segment text not null,
    billed numeric(18, 2) not null,
    collected numeric(18, 2) not null,
    receivable numeric(18, 2) not null check (receivable >= 0),
    overdue numeric(18, 2) not null check (overdue between 0 and receivable),
    publication_id uuid not null references ops.publications,
    primary key (rating_month, segment)
);

comment on table ops.receivables is 'One row a rating month and segment: the money of that month, from the records its publication knew.';
comment on column ops.receivables.rating_month is 'First day of the rating month.';
comment on column ops.receivables.segment is 'Segment, as at the end of the month.';
comment on column ops.receivables.billed is 'Amounts of the bills issued in the month; those that cancel others count against it.';
comment on column ops.receivables.collected is 'Payments made in the month, less what was taken back in it.';
comment on column ops.receivables.receivable is 'What bills lack at the end of the month.';
comment on column ops.receivables.overdue is 'Of that, due before it.';
comment on column ops.receivables.publication_id is 'Publication whose records these are.';

-- ops.service_levels: one row a month, size, value group and grade -----------------------------------------------------

create table ops.service_levels (
    rating_month date not null,
    customer_size text not null check (customer_size in ('average', 'large')),
    value_group text not null,
    grade text not null,
    has_manager boolean not null,
    customers bigint not null check (customers > 0),
    required_level text not null,
    required_rank integer not null,
    provided_level text not null,
    provided_rank integer not null,
    publication_id uuid not null references ops.publications,
    primary key (rating_month, customer_size, value_group, grade, has_manager)
);

comment on table ops.service_levels is 'One row a rating month and kind of customer: the level of service that it is owed, and the one it gets.';
comment on column ops.service_levels.rating_month is 'First day of the rating month.';
comment on column ops.service_levels.customer_size is 'large or average, by the capacity of the connection.';
comment on column ops.service_levels.value_group is 'Customer group by value; none where customers were not grouped.';
comment on column ops.service_levels.grade is 'Grade.';
comment on column ops.service_levels.has_manager is 'Whether they have an account manager.';
comment on column ops.service_levels.customers is 'How many.';
comment on column ops.service_levels.required_level is 'Level that the policy owes a customer of that size.';
comment on column ops.service_levels.required_rank is 'Its place among the levels, 0 the lowest.';
comment on column ops.service_levels.provided_level is 'Level that they get.';
comment on column ops.service_levels.provided_rank is 'Its place among the levels.';
comment on column ops.service_levels.publication_id is 'Publication that it follows from.';

create index service_actions_by_type on ops.service_actions (action_type, rating_month);
