-- Customer groups: what each customer was billed, and where the groups of a month lie.

alter table rating.customer_groups add column revenue numeric(18, 2) not null;

comment on table rating.customer_groups is 'One row a customer and month: everyone who is rated, and who is gone since the month before.';
comment on column rating.customer_groups.value_group is 'Group by consumption and revenue; like the other two null for a customer who is gone.';
comment on column rating.customer_groups.demand_group is 'Group by what is asked of the supply: outages, voltage complaints, contacts; null where a utility records none.';
comment on column rating.customer_groups.group_name is 'The three groups in one name; closed for a customer who is gone.';
comment on column rating.customer_groups.revenue is 'Billed in 12 months.';

-- rating.group_profiles: one row a month, aspect and group -----------------------------------------------------------

create table rating.group_profiles (
    rating_month date not null,
    aspect text not null check (aspect in ('value', 'demand', 'behaviour')),
    group_name text not null,
    customers bigint not null check (customers >= 0),
    revenue numeric not null,
    profile text not null,
    means json not null,
    centroid json not null,
    scale json not null,
    publication_id uuid not null,
    primary key (rating_month, aspect, group_name)
) partition by range (rating_month);

comment on table rating.group_profiles is 'One row a month, aspect and group: who is in it, and where the next month''s k-means starts.';
comment on column rating.group_profiles.rating_month is 'First day of the rating month.';
comment on column rating.group_profiles.aspect is 'value, demand or behaviour.';
comment on column rating.group_profiles.group_name is 'Name of the group, as in the aspect''s column of rating.customer_groups.';
comment on column rating.group_profiles.customers is 'Rated customers in the group.';
comment on column rating.group_profiles.revenue is 'What they were billed in 12 months.';
comment on column rating.group_profiles.profile is 'The group in words.';
comment on column rating.group_profiles.means is 'Mean of each measure over its customers.';
comment on column rating.group_profiles.centroid is 'Its centre by measure, on the logarithmic scale of the k-means. json and not jsonb: every float comes back to the bit.';
comment on column rating.group_profiles.scale is 'Mean and deviation of each measure over all customers on that scale; the same for all groups of an aspect.';
comment on column rating.group_profiles.publication_id is 'Revision of the month in ops.publications.';
