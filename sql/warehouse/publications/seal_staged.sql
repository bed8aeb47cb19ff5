-- What gives a staged table every constraint of its parent, in one pass over its rows. One row: changes, the actions of
-- an alter table (null: none).
-- Fragments: parent (name of a table in rating).

select string_agg(change, ', ') as changes
from (
    select format('alter %I set not null', attname) as change
    from pg_attribute
    where attrelid = 'rating.{parent}'::regclass and attnum > 0 and attnotnull
    union all
    select format('add constraint %I %s', conname, pg_get_constraintdef(oid)) as change
    from pg_constraint
    where conrelid = 'rating.{parent}'::regclass and contype = 'c'
) as changes
