-- Changes, in a staged table, the columns that may not be null in its parent.
-- Fragments: staged and parent (names of tables in rating), change (drop not null, or set not null).

do $$
begin
    execute 'alter table rating.{staged} ' || (
        select string_agg(format('alter %I {change}', attname), ', ')
        from pg_attribute
        where attrelid = 'rating.{parent}'::regclass and attnum > 0 and attnotnull
    );
end
$$
