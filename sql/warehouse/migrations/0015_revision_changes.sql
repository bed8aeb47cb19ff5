-- What a revision changed against the one it replaced is kept with it: pages show it at once, and still when the rows of
-- the replaced one are gone. Runs once. Reads nothing.

create table ops.revision_changes (
    publication_id uuid primary key references ops.publications deferrable initially deferred,
    replaced_id uuid not null references ops.publications deferrable initially deferred,
    difference jsonb not null
);

comment on table ops.revision_changes is 'One row a revision that replaced another: what it changed. None for revisions that were published before this was recorded.';
comment on column ops.revision_changes.publication_id is 'The revision.';
comment on column ops.revision_changes.replaced_id is 'The revision that readers saw before it.';
comment on column ops.revision_changes.difference is 'Counts of customers who moved, by grade before and after and by reason, and those who moved furthest, as gridgrade diff prints them.';
