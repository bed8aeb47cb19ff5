-- Who only reads takes no lock that a run waits for, and makes no object. For a superuser to run in the warehouse's
-- database, once: PostgreSQL lets everybody call these functions. Its owner, as whom the pipeline writes, keeps them.

do $$
declare
    called regprocedure;
begin
    for called in
        select cast(p.oid as regprocedure)
        from pg_proc as p
        where p.pronamespace = 'pg_catalog'::regnamespace
            and (p.proname ~ '^pg_(try_)?advisory_' or p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import'))
    loop
        execute format('revoke execute on function %s from public', called);
        execute format(
            'grant execute on function %s to %I',
            called,
            (select pg_get_userbyid(datdba) from pg_database where datname = current_database())
        );
    end loop;
    execute format('revoke create, temporary on database %I from public', current_database());
    revoke create on schema public from public;
end
$$;
