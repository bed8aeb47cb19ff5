-- Lets a staged table hold nulls in the columns that may hold none in its parent, so that the audit can say where they are.
-- Fragments: staged and parent (names of tables in rating).

do $$
begin
    execute 'alter table rating.{staged} ' || (
        select string_agg(format('alter %I drop not null', attname), ', ')
        from pg_attribute
        where attrelid = 'rating.{parent}'::regclass and attnum > 0 and attnotnull
    );
end
$$
