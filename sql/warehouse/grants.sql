-- What readers may see: the views in report and nothing else. Runs with every migration, so that a role made later gets it.
-- The role is the administrator's to make (create role gridgrade_reader login password '...').

do $$
begin
    if exists (select from pg_roles where rolname = 'gridgrade_reader') then
        grant usage on schema report to gridgrade_reader;
        grant select on all tables in schema report to gridgrade_reader;
    end if;
end
$$;
