-- Months again: which rule set a grade, what a publication was made from and by whom, who took an override back.
-- Runs once. Reads nothing.

alter table rating.credit_grades
    add column model_grade text,
    add column grade_rule text;

comment on column rating.credit_grades.model_grade is 'Grade that follows from the model''s probability alone.';
comment on column rating.credit_grades.grade_rule is 'Rule that made the grade what it is; null where the probability alone did.';

alter table ops.rating_overrides
    add column revoked_by text,
    add check ((revoked_by is null) = (revoked_at is null));

comment on column ops.rating_overrides.revoked_by is 'Who took it back.';

create table ops.policies (
    policy_sha256 text primary key,
    document jsonb not null,
    first_used_at timestamptz not null default now()
);

comment on table ops.policies is 'One row a policy that a publication was made under.';
comment on column ops.policies.policy_sha256 is 'Its hash, as publications and models name it.';
comment on column ops.policies.document is 'The whole policy in force, the default and the utility''s own file merged.';
comment on column ops.policies.first_used_at is 'When it was first published under.';

create table ops.inputs (
    input_sha256 text primary key,
    partitions jsonb not null
);

comment on table ops.inputs is 'One row a set of lake partitions that a publication was rated from.';
comment on column ops.inputs.input_sha256 is 'Its hash, as publications name it.';
comment on column ops.inputs.partitions is 'By source table and month: the hashes of the facts and of the rows left out of them.';

alter table ops.publications
    add column published_by text,
    add column known_in date,
    add column code_sha256 text,
    add column overrides_sha256 text,
    add column carried_sha256 text,
    add column previous_publication_id uuid references ops.publications,
    add column taken_over jsonb,
    add column recipe_sha256 text,
    add column confirmed_at timestamptz,
    add column moved bigint,
    add column moves_accepted boolean,
    add column followed_up_at timestamptz,
    add column rows_removed_at timestamptz;

comment on column ops.publications.published_by is 'Who started the run.';
comment on column ops.publications.known_in is 'First day of the last recorded month that the rating read.';
comment on column ops.publications.code_sha256 is 'Hash of the queries, the code and the versions of the libraries that rated.';
comment on column ops.publications.overrides_sha256 is 'Hash of the overrides in force for the month.';
comment on column ops.publications.carried_sha256 is 'Hash of the grades, which the month after takes over.';
comment on column ops.publications.previous_publication_id is 'Publication of the month before whose grades it took over; null where there was none.';
comment on column ops.publications.taken_over is 'By what it is, the hashes of what this one took over from months before, as last confirmed; empty where there was nothing.';
comment on column ops.publications.recipe_sha256 is 'Hash of all that the content follows from, as last confirmed: equal again, and the month need not be rated again.';
comment on column ops.publications.confirmed_at is 'When a run last found that rating the month again gives this content.';
comment on column ops.publications.moved is 'Customers with another grade than in the revision it replaced; null for the first of a month.';
comment on column ops.publications.moves_accepted is 'Whether a person had accepted more moves than the policy''s limit.';
comment on column ops.publications.followed_up_at is 'When the actions that follow from it were decided; null until then.';
comment on column ops.publications.rows_removed_at is 'When the rows of a replaced revision were removed; null while they can be read.';
