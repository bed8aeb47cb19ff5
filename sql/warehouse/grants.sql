-- What readers may see. Runs with every migration, so that a role made later gets it. The roles are the administrator's
-- to make: gridgrade_reader sees the views in report and nothing else (create role gridgrade_reader login password '...');
-- gridgrade_console is who the console's pages read as, tables included
-- (create role gridgrade_console; grant gridgrade_console to gridgrade_pipeline).

do $$
begin
    if exists (select from pg_roles where rolname = 'gridgrade_reader') then
        grant usage on schema report to gridgrade_reader;
        grant select on all tables in schema report to gridgrade_reader;
    end if;
    if exists (select from pg_roles where rolname = 'gridgrade_console') then
        grant usage on schema rating, ops, report to gridgrade_console;
        grant select on all tables in schema rating, ops, report to gridgrade_console;
        -- Each revision of a month is a table of its own, made after this.
        alter default privileges in schema rating grant select on tables to gridgrade_console;
    end if;
end
$$;
